//! Embeddings of the models at Bedrock that are asked by `InvokeModel`, each maker in its own words.
//! Bedrock itself says nothing of the body; callers never speak these.

pub mod cohere;
pub mod titan;
