//! Money as the contract has it: books of several engines against a hub's arithmetic and a bill that
//! neither of them keeps, on a clock that the tests move.

#[cfg(test)]
mod admission;
#[cfg(test)]
mod deciding;
#[cfg(test)]
mod denial;
#[cfg(test)]
mod former;
#[cfg(test)]
mod hub;
#[cfg(test)]
mod near_end;
mod outage;
#[cfg(test)]
mod patience;
#[cfg(test)]
mod property;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod restored;
#[cfg(test)]
mod subjects;
#[cfg(test)]
mod task;
#[cfg(test)]
mod transport;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod windows;
#[cfg(test)]
mod world;
