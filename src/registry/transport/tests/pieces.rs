//! Bodies on their way out, with time that is made.

use bytes::Bytes;
use futures_util::stream;
use http_body::Body;

use crate::registry::error::Error;
use crate::registry::transport::limits::Times;
use crate::registry::transport::upload_body::{Pulse, UploadBody};
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

/// An answer may take longer than a pause within the body.
fn times() -> Times {
    Times {
        header: Duration::from_secs(90),
        ..Times::default()
    }
}

fn body_of(sizes: &[usize], pulse: &Pulse) -> UploadBody {
    let chunks: Vec<Result<Bytes, Error>> = sizes
        .iter()
        .map(|size| Ok(Bytes::from(vec![1; *size])))
        .collect();
    let inner = reqwest::Body::wrap_stream(stream::iter(chunks));
    UploadBody::new((sizes.iter().sum::<usize>() as u64, inner), pulse, times())
}

async fn piece(body: &mut UploadBody) -> Option<usize> {
    let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
    Some(frame.expect("sound").into_data().expect("data").len())
}

/// Takes the body with a pause before each piece and before the answer; `None` when that was too slow.
async fn taken(sizes: &[usize], (each, last): (u64, u64)) -> Option<usize> {
    let pulse = Pulse::new(Duration::from_secs(70));
    let mut body = body_of(sizes, &pulse);
    let upload = async {
        let mut pieces = 0;
        while let Some(size) = piece(&mut body).await {
            assert!(size <= 64 * 1024);
            pieces += 1;
            tokio::time::sleep(Duration::from_secs(each)).await;
        }
        tokio::time::sleep(Duration::from_secs(last)).await;
        pieces
    };
    pulse.watch(upload).await
}

#[tokio::test(start_paused = true)]
async fn r27_a_slow_upload_goes_on_as_long_as_it_moves() {
    assert_eq!(taken(&[1 << 20, 3, 0, 70_000], (59, 0)).await, Some(19));
}

#[tokio::test(start_paused = true)]
async fn r27_a_minute_without_a_piece_is_the_end() {
    assert_eq!(taken(&[1 << 20], (61, 0)).await, None);
}

#[tokio::test(start_paused = true)]
async fn r27_the_answers_minute_begins_when_the_body_has_ended() {
    assert_eq!(taken(&[200_000], (30, 59)).await, Some(4));
    assert_eq!(taken(&[200_000], (30, 61)).await, None);
}

/// A source that gives a piece, sleeps, and gives another one; the registry takes each at once, but for a pause at the end.
async fn taken_from_a_slow_source((source, last): (u64, u64)) -> Option<usize> {
    let pulse = Pulse::new(Duration::from_secs(70));
    let chunks = stream::unfold(0, move |number| async move {
        tokio::time::sleep(Duration::from_secs(number * source)).await;
        (number < 2).then(|| (Ok::<_, Error>(Bytes::from_static(b"abc")), number + 1))
    });
    let mut body = UploadBody::new((9, reqwest::Body::wrap_stream(chunks)), &pulse, times());
    let upload = async {
        let pieces = [piece(&mut body).await, piece(&mut body).await];
        tokio::time::sleep(Duration::from_secs(last)).await;
        pieces.iter().flatten().count()
    };
    pulse.watch(upload).await
}

#[tokio::test(start_paused = true)]
async fn r27_a_registry_does_not_pay_for_a_slow_source() {
    assert_eq!(taken_from_a_slow_source((600, 59)).await, Some(2));
    assert_eq!(taken_from_a_slow_source((600, 200)).await, None);
    assert_eq!(taken_from_a_slow_source((61, 200)).await, None);
}

#[tokio::test]
async fn a_body_tells_its_size_and_its_end() {
    let pulse = Pulse::new(Duration::from_secs(1));
    let mut body = body_of(&[100_000], &pulse);
    assert_eq!(body.size_hint().exact(), Some(100_000));
    assert_eq!(piece(&mut body).await, Some(65_536));
    assert_eq!(body.size_hint().exact(), Some(34_464));
    assert!(!body.is_end_stream());
    assert_eq!(piece(&mut body).await, Some(34_464));
    assert!(body.is_end_stream());
    assert_eq!(piece(&mut body).await, None);
}
