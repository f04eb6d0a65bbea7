//! The real binary over real sockets.

#[cfg(test)]
mod anthropic;
#[cfg(test)]
mod azure;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod converse;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod gemini;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod surfaces;
