//! Streams whose beginning is held back: what breaks off there is tried elsewhere, and the caller sees
//! nothing of it.

use serde_json::{Value, json};

use super::origin::{Origin, Says};
use super::providers::{COST, PROVIDERS, Provider};
use super::surfaces::{SURFACES, Surface};
use super::world::{Answer, World, model, run};

/// More than the answer has.
const ALL: u64 = 200;

/// A provider and the one after it in the list, which speaks another dialect.
async fn pair(at: usize, tokens: u64) -> (&'static Provider, Origin, Origin, World) {
    let (first, spare) = (&PROVIDERS[at], &PROVIDERS[(at + 1) % PROVIDERS.len()]);
    let (origin, other) = (Origin::start().await, Origin::start().await);
    let models = [model(first.kind, &origin), model(spare.kind, &other)];
    let world = World::with(&models, &json!({"holdBack": {"tokens": tokens}}));
    other.say(Says::stream(spare.stream_kind, (spare.stream)().concat()));
    (first, origin, other, world)
}

async fn ask(world: &World, surface: &Surface) -> Answer {
    world.post(&(surface.path)(true), &(surface.body)(true)).await
}

fn classes(record: &Value) -> Vec<&str> {
    let rows = record["attempts"].as_array().unwrap();
    rows.iter().map(|row| row["class"].as_str().unwrap()).collect()
}

/// Cut after any of its events, on every surface, before every provider.
#[test]
fn i9_what_breaks_while_it_is_held_back_goes_on_elsewhere_unseen() {
    run(async {
        for (at, provider) in PROVIDERS.iter().enumerate() {
            for surface in SURFACES {
                let all = (provider.stream)();
                for cut in provider.begins..all.len() {
                    let (_, origin, other, world) = pair(at, ALL).await;
                    let says = Says::stream(provider.stream_kind, all[..cut].concat());
                    origin.say(Says { whole: cut % 2 == 0, ..says });
                    let answer = ask(&world, surface).await;
                    let at =
                        format!("{} to {} cut at {cut}: {answer:?}", surface.name, provider.kind);
                    assert!(answer.status == 200 && answer.whole, "{at}");
                    assert!((surface.ended)(&answer), "{at}");
                    assert_eq!((surface.streamed)(&answer), "Hello.", "{at}");
                    assert_eq!((origin.was_asked(), other.was_asked()), (1, 1), "{at}");
                    let record = world.record().await;
                    assert_eq!(classes(&record), ["TruncatedEarly", "ok"], "{at}");
                    assert_eq!(record["cost"], COST, "{at}");
                }
            }
        }
    });
}

/// A stream that breaks when as much as was asked for has gone down is told like any other.
#[test]
fn i9_what_has_gone_down_is_cut_as_ever() {
    run(async {
        for at in 0..PROVIDERS.len() {
            for surface in SURFACES {
                let (provider, origin, other, world) = pair(at, 1).await;
                let all = (provider.stream)();
                let cut = all[..=provider.begins].concat();
                origin.say(Says { whole: false, ..Says::stream(provider.stream_kind, cut) });
                let answer = ask(&world, surface).await;
                let at = format!("{} to {}: {answer:?}", surface.name, provider.kind);
                assert!(answer.status == 200 && !answer.whole, "{at}");
                assert!((surface.told)(&answer) && !(surface.ended)(&answer), "{at}");
                assert_eq!(other.was_asked(), 0, "{at}");
                assert_eq!(world.record().await["outcome"], "cut", "{at}");
            }
        }
    });
}

/// Where nobody is left the caller gets an error and nothing else; what came may be billed.
#[test]
fn alone_it_is_an_error_in_the_callers_own_shape() {
    run(async {
        for provider in PROVIDERS {
            let all = (provider.stream)();
            for surface in SURFACES {
                let origin = Origin::start().await;
                let route = json!({"holdBack": {"tokens": ALL}});
                let world = World::with(&[model(provider.kind, &origin)], &route);
                let cut = all[..=provider.begins].concat();
                origin.say(Says { whole: false, ..Says::stream(provider.stream_kind, cut) });
                let answer = ask(&world, surface).await;
                let at = format!("{} to {}: {answer:?}", surface.name, provider.kind);
                assert!(answer.status == 502 && (surface.is_error)(&answer.json()), "{at}");
                let record = world.record().await;
                assert_eq!(classes(&record), ["TruncatedEarly"], "{at}");
                assert_eq!((&record["outcome"], &record["cost"]), (&json!("failed"), &json!(0)));
            }
        }
    });
}
