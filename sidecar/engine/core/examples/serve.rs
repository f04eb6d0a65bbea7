//! Serves a table file without Python: `cargo run --release --example serve -- CONFIG.json TABLE.json`.
//! For profiling the engine alone; the product is `python -m pointsman_sidecar`.

use std::error::Error;

use pointsman_core::engine::Engine;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let config = arguments.next().ok_or("usage: serve CONFIG.json TABLE.json")?;
    let table = arguments.next().ok_or("usage: serve CONFIG.json TABLE.json")?;
    let engine = Engine::new(&std::fs::read(config)?)?;
    engine.load(&std::fs::read(table)?)?;
    Ok(engine.run()?)
}
