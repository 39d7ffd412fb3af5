//! What a finished image is, for the summary on standard error.

use std::fmt;
use std::time::Duration;

use crate::digest::Digest;
use crate::image::Told;
use crate::publish::Finished;
use crate::registry::Sent;
use crate::words::counted;

/// How long each part of a build took.
#[derive(Clone, Debug)]
pub(crate) struct Laps {
    last: Duration,
    parts: Vec<(&'static str, Duration)>,
}

impl Laps {
    /// Starts at `start`, in time since the start of the program: what came before was planning.
    pub(crate) fn new(start: Duration) -> Laps {
        Laps {
            last: start,
            parts: vec![("planned", start)],
        }
    }

    /// Ends the part called `name`.
    pub(crate) fn mark(&mut self, name: &'static str, now: Duration) {
        self.parts.push((name, now.saturating_sub(self.last)));
        self.last = now;
    }
}

/// `planned in 0.02 s, compiled in 1.50 s`.
impl fmt::Display for Laps {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part =
            |(name, time): &(&str, Duration)| format!("{name} in {:.2} s", time.as_secs_f64());
        let parts: Vec<String> = self.parts.iter().map(part).collect();
        out.write_str(&parts.join(", "))
    }
}

/// A finished image with the layers of each platform.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) finished: Finished,
    /// Of this build, for each platform in turn.
    pub(crate) layers: Vec<Vec<Told>>,
    /// What a push came to, once it came to something.
    pub(crate) sent: Option<Sent>,
}

impl Built {
    /// Every blob that the image refers to.
    pub(crate) fn digests(&self) -> Vec<Digest> {
        let content = |image: &crate::image::Image| {
            let layers = image
                .layers
                .iter()
                .chain(&image.base_layers)
                .map(|layer| layer.digest);
            layers
                .chain([image.config.digest, image.manifest.digest])
                .collect::<Vec<_>>()
        };
        let images = self.finished.images.iter().flat_map(content);
        images.chain([self.finished.root.digest]).collect()
    }

    /// A few lines: name, digest, and for each platform the layers with their sizes.
    pub(crate) fn summary(&self) -> String {
        let mut lines = vec![format!(
            "image {} {}",
            self.finished.full_names().join(" "),
            self.finished.root.digest
        )];
        for (image, layers) in self.finished.images.iter().zip(&self.layers) {
            let base: u64 = image.base_layers.iter().map(|layer| layer.size).sum();
            lines.push(format!(
                "{}: base {} in {}",
                image.platform,
                size(base),
                counted(image.base_layers.len(), "layer")
            ));
            lines.extend(layers.iter().map(line));
        }
        let name = &self.finished.name;
        lines.extend(self.sent.iter().map(|sent| pushed(name, sent)));
        lines.join("\n")
    }
}

fn line(told: &Told) -> String {
    let state = if told.layer.reused { "reused" } else { "new" };
    format!("  {} {state}: {}", size(told.layer.blob.size), told.comment)
}

/// What travelled to the repository `name`.
pub(crate) fn pushed(name: &str, sent: &Sent) -> String {
    let Sent {
        bytes,
        uploaded,
        mounted,
        present,
    } = *sent;
    let parts = [
        (uploaded, format!("sent {uploaded} ({})", size(bytes))),
        (mounted, format!("mounted {mounted}")),
        (present, format!("there already {present}")),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(_, part)| part).collect();
    match parts.is_empty() {
        true => format!("pushed to {name}: nothing was missing there"),
        false => format!("pushed to {name}: {}", parts.join(", ")),
    }
}

/// Bytes in the unit that a person would use.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_a_person_would_use() {
        assert_eq!(
            (size(999), size(12_345), size(7_654_321)),
            ("999 B".into(), "12.3 kB".into(), "7.6 MB".into())
        );
    }

    #[test]
    fn what_a_push_came_to_is_told_without_what_it_did_not() {
        let sent = |uploaded, mounted, present| Sent {
            bytes: 7_600_000,
            uploaded,
            mounted,
            present,
        };
        for (sent, told) in [
            (sent(2, 3, 4), "sent 2 (7.6 MB), mounted 3, there already 4"),
            (sent(1, 0, 0), "sent 1 (7.6 MB)"),
            (sent(0, 0, 5), "there already 5"),
            (sent(0, 0, 0), "nothing was missing there"),
        ] {
            assert_eq!(pushed("r/x", &sent), format!("pushed to r/x: {told}"));
        }
    }

    #[test]
    fn each_part_is_told_with_its_own_time() {
        let mut laps = Laps::new(Duration::from_millis(20));
        laps.mark("compiled", Duration::from_millis(1_520));
        assert_eq!(laps.to_string(), "planned in 0.02 s, compiled in 1.50 s");
    }
}
