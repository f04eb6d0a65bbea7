//! Pointsman's data plane. A request's path is the list of modules:
//! `serve` -> `identity` -> `scan` -> `rules` -> (`features` -> `score`) -> `select` -> `budget`
//! -> `attempt` (`breaker`, `upstream`) -> `wire`/`sse`/`answer` -> `usage` -> `price` -> `record`.
//! `handle` reads top to bottom as that path. Tables come in by `table` -> `check` -> `plan` -> `swap`;
//! money by `ledger` -> `lease` -> `budget`, kept over a restart by `journal`.

#![forbid(unsafe_code)]

pub mod admin;
pub mod admission;
pub mod answer;
pub mod attempt;
pub mod background;
pub mod breaker;
pub mod budget;
pub mod call;
pub mod check;
pub mod choose;
pub mod clock;
pub mod collect;
pub mod config;
pub mod credentials;
pub mod decode;
pub mod detect;
pub mod dispatch;
pub mod engine;
pub mod error;
pub mod export;
pub mod features;
pub mod fleet;
pub mod handle;
pub mod headers;
pub mod identity;
pub mod intake;
pub mod journal;
pub mod kept;
pub mod large;
pub mod lease;
pub mod ledger;
pub mod limits;
pub mod media;
pub mod models;
pub mod pin;
pub mod plan;
pub mod price;
pub mod quota;
pub mod record;
pub mod relay;
pub mod reserve;
pub mod room;
pub mod rules;
pub mod scan;
pub mod score;
pub mod secrets;
pub mod select;
pub mod serve;
pub mod sign;
pub mod span;
pub mod sse;
pub mod stats;
pub mod surface;
pub mod swap;
pub mod table;
pub mod tickets;
pub mod tls;
pub mod tokens;
pub mod trace;
pub mod upstream;
pub mod usage;
pub mod wire;
