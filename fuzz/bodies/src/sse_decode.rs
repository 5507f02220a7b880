//! Any bytes as a stream of server-sent events: however they are split on the way, the same comes of them.

use ambassador_core::{
    dialect::openai::Ask,
    exchange,
    provider::{ALL, Operation, Provider, StreamError},
    relay::Progress,
    sse::Splitter,
};
use bytes::Bytes;

/// The first two bytes of `data` say how the others are split.
pub fn sse_decode(data: &[u8]) {
    let Some(([first, second], stream)) = data.split_first_chunk::<2>() else { return };
    let pieces = split(stream, usize::from(*first), usize::from(*second));
    let whole = events([stream]);
    assert_eq!(whole, events(pieces.iter().copied()), "split by {first} and {second}");
    assert_eq!(whole, events(stream.chunks(1)), "byte by byte");
    assert_eq!(whole.concat(), stream, "no byte is lost or told twice");
    for provider in ALL {
        let whole = carried(provider, [stream]);
        assert_eq!(whole, carried(provider, pieces.iter().copied()), "{} by {first} and {second}", provider.kind());
        assert_eq!(whole, carried(provider, stream.chunks(1)), "{} byte by byte", provider.kind());
    }
}

/// Pieces of two lengths in turn.
fn split(mut stream: &[u8], first: usize, second: usize) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    for length in [first.max(1), second.max(1)].into_iter().cycle() {
        if stream.is_empty() {
            break;
        }
        let (piece, rest) = stream.split_at(length.min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces
}

/// The bytes of each event, and what is left at the end.
fn events<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<Vec<u8>> {
    let mut splitter = Splitter::default();
    let mut events = Vec::new();
    for piece in pieces {
        splitter.feed(piece).expect("a short stream holds no long event");
        while let Some(event) = splitter.next_event() {
            events.push(event.raw().to_vec());
        }
    }
    let rest = splitter.remainder();
    let _data = rest.data();
    events.push(rest.raw().to_vec());
    events
}

/// What the caller gets, how far it came, and whether it ended well.
fn carried<'p>(
    provider: &dyn Provider,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> (Vec<u8>, Progress, Result<(), StreamError>) {
    let body = Bytes::from_static(br#"{"model":"m","messages":[{}],"stream":true}"#);
    let ask = Ask::parse(Operation::Chat, &body).expect("it is a request");
    let mut relay = exchange::relay(provider, &ask, 1_700_000_000);
    let (mut out, mut result) = (Vec::new(), Ok(()));
    for piece in pieces {
        result = relay.push(piece, &mut out);
        if result.is_err() || relay.progress().ended {
            break;
        }
    }
    if result.is_ok() {
        result = relay.finish(&mut out);
    }
    (out, relay.progress().clone(), result)
}
