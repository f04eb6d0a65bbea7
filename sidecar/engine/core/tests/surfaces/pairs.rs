//! Every surface to every provider: the same answer, the same bill, an end that is one, and no cut that
//! looks like it.

use serde_json::{Value, json};

use super::origin::{Origin, Says};
use super::providers::{COST, PROVIDERS, Provider};
use super::surfaces::{SURFACES, Surface};
use super::world::{Answer, World, model, run};

async fn ask(world: &World, surface: &Surface, stream: bool) -> Answer {
    world.post(&(surface.path)(stream), &(surface.body)(stream)).await
}

async fn world_of(provider: &Provider) -> (Origin, World) {
    let origin = Origin::start().await;
    let world = World::new(&[model(provider.kind, &origin)]);
    (origin, world)
}

/// A plain call gives the provider's answer in the caller's words, and its bill to the token.
#[test]
fn plain_calls() {
    run(async {
        for provider in PROVIDERS {
            let (origin, world) = world_of(provider).await;
            for surface in SURFACES {
                origin.say(Says::json(200, &(provider.plain)()));
                let answer = ask(&world, surface, false).await;
                let at = format!("{} to {}: {answer:?}", surface.name, provider.kind);
                assert_eq!(answer.status, 200, "{at}");
                assert_eq!((surface.said)(&answer.json()), "Hello.", "{at}");
                let asked = origin.asked();
                assert_eq!(asked.line, (provider.line)(false), "{at}");
                assert_eq!(asked.header(provider.key.0), Some(provider.key.1), "{at}");
                let others = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];
                for other in others.into_iter().filter(|it| *it != provider.key.0) {
                    assert_eq!(asked.header(other), None, "{at}");
                }
                let record = world.record().await;
                assert_eq!(
                    (&record["cost"], &record["outcome"]),
                    (&json!(COST), &json!("ok")),
                    "{at}"
                );
                assert_eq!(record["usage"]["source"], "reported", "{at}");
            }
        }
    });
}

/// So does a stream, and it ends as the surface's streams do.
#[test]
fn streams() {
    run(async {
        for provider in PROVIDERS {
            let (origin, world) = world_of(provider).await;
            for surface in SURFACES {
                origin.say(Says::stream(provider.stream_kind, (provider.stream)().concat()));
                let answer = ask(&world, surface, true).await;
                let at = format!("{} to {}: {answer:?}", surface.name, provider.kind);
                assert!(answer.status == 200 && answer.whole, "{at}");
                assert!((surface.ended)(&answer), "{at}");
                assert_eq!((surface.streamed)(&answer), "Hello.", "{at}");
                assert_eq!(origin.asked().line, (provider.line)(true), "{at}");
                let record = world.record().await;
                assert_eq!(
                    (&record["cost"], &record["outcome"]),
                    (&json!(COST), &json!("ok")),
                    "{at}"
                );
            }
        }
    });
}

/// I9: a stream that breaks off after any of its events has no end downstream and a broken body; before
/// its first content the caller gets an error in its own shape and nothing else.
#[test]
fn i9_cut_streams_never_look_whole() {
    run(async {
        for provider in PROVIDERS {
            let (origin, world) = world_of(provider).await;
            let all = (provider.stream)();
            for surface in SURFACES {
                for cut in 0..all.len() {
                    let says = Says::stream(provider.stream_kind, all[..cut].concat());
                    origin.say(Says { whole: cut % 2 == 0, ..says });
                    let answer = ask(&world, surface, true).await;
                    let at =
                        format!("{} to {} cut at {cut}: {answer:?}", surface.name, provider.kind);
                    let record = world.record().await;
                    origin.asked();
                    assert!(!(surface.ended)(&answer), "{at}");
                    if answer.status != 200 {
                        assert!(
                            cut < provider.begins && (surface.is_error)(&answer.json()),
                            "{at}"
                        );
                        continue;
                    }
                    assert!(cut >= provider.begins && !answer.whole, "{at}");
                    assert!((surface.told)(&answer), "{at}");
                    assert_eq!(record["outcome"], "cut", "{at}");
                    assert!(record["cost"].as_u64().unwrap() > 0, "{at}");
                }
            }
        }
    });
}

/// Our own refusals are in the caller's words too.
#[test]
fn refusals() {
    run(async {
        let (_origin, world) = world_of(&PROVIDERS[0]).await;
        for surface in SURFACES {
            let mut body = (surface.body)(false);
            body[surface.messages] = json!(7);
            let answer = world.post(&(surface.path)(false), &body).await;
            let told: Value = answer.json();
            assert!(answer.status == 400 && (surface.is_error)(&told), "{}: {told}", surface.name);
            assert!(told.to_string().contains(surface.messages), "{}: {told}", surface.name);
        }
    });
}
