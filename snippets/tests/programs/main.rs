//! The book's programs as a reader types them, in one executable: linked once, and what waits waits side by side. The
//! sessions of the pages (`transcripts`), their exercises (`check`), what their figures play (`recorded`), and a
//! consumer that is killed (`kill`).

mod check;
mod kill;
mod recorded;
mod session;
mod transcripts;
