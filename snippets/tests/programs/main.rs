//! The book's programs as a reader types them, in one executable: linked once, and what waits waits side by side. The
//! sessions of the pages (`transcripts`), their exercises (`check`), what their figures play (`recorded`), and a
//! consumer that is killed (`kill`), and what a person at a terminal meets (`terminal`).

mod check;
mod kill;
mod recorded;
mod session;
mod terminal;
mod transcripts;
