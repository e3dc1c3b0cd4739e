//! Locks that outlive a panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes the lock, whatever became of who held it before. A call that panics is answered by a closed connection; the
/// others go on with the state as it is, since nothing is left half changed while a lock is held.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_panic_under_a_lock_leaves_it_to_others() {
        let mutex = Mutex::new(1);
        thread::scope(|scope| {
            let panics = scope.spawn(|| {
                let _held = lock(&mutex);
                panic!("as meant");
            });
            assert!(panics.join().is_err());
        });
        assert_eq!(*lock(&mutex), 1);
    }
}
