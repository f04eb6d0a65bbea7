//! Callers and providers that speak different dialects, end to end over sockets: what goes up, what comes
//! down, what is booked, and that nothing that broke off looks whole.

#![cfg(test)]

mod chat_to_messages;
mod compatible;
mod compatible_answers;
mod embeddings;
mod hold_back;
mod media;
mod names;
mod origin;
mod pairs;
mod providers;
mod realtime;
mod same;
mod signatures;
mod state;
mod state_of_others;
mod surfaces;
mod world;
