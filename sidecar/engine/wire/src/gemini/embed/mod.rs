//! `:embedContent`, one text and one vector, and `:batchEmbedContents`, several. Which of them stands in
//! the path; upstream it is always the second.

pub mod answer;
pub mod request;
