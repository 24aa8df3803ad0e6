//! Images: whether they are there, pulling those that are not, and what stands for which.
//!
//! What lives here: names and pulls. What does not: containers of them (`container`).

use std::collections::BTreeMap;

use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::error::{EngineError, innermost, status, why};

/// Which image stands for which: for machines that reach no registry, or must take another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageMap(BTreeMap<String, String>);

impl ImageMap {
    /// Reads `NAME=OTHER`. A name without a tag stands for every tag of it.
    ///
    /// # Errors
    /// When it is not two names with an equals sign between them.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        match text.split_once('=') {
            Some((name, other)) if !name.trim().is_empty() && !other.trim().is_empty() => {
                self.0.insert(name.trim().to_owned(), other.trim().to_owned());
                Ok(())
            }
            _ => Err(format!("`{text}` names no image for another: write `frrouting/frr=fabric/frr`")),
        }
    }

    /// The image to take for `image`: what is said of its whole name, else of its name without a tag, else itself.
    pub fn of<'a>(&'a self, image: &'a str) -> &'a str {
        let found = self.0.get(image).or_else(|| self.0.get(repository(image)));
        found.map_or(image, String::as_str)
    }
}

/// An image's name without tag and digest.
pub(super) fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    match image.rsplit_once(':') {
        // A colon before a slash is a registry's port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

impl Engine {
    /// Makes sure that an image is there, pulling it if it is not; `tell` hears of the pull.
    ///
    /// # Errors
    /// When it is neither there nor to be had.
    pub async fn ensure_image(
        &self,
        node: &str,
        image: &str,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<(), EngineError> {
        let missing = |why: String| EngineError::NoImage {
            node: node.to_owned(),
            image: image.to_owned(),
            repository: repository(image).to_owned(),
            why,
        };
        match self.api().inspect_image(image).await {
            Ok(_) => return Ok(()),
            Err(error) if status(&error) == Some(404) => {}
            Err(error) => return Err(EngineError::refused(format!("look for the image {image}"))(error)),
        }
        tell(&format!("pulling {image}"));
        let name = repository(image);
        let tagged = if name == image { format!("{image}:latest") } else { image.to_owned() };
        let options = CreateImageOptionsBuilder::new().from_image(&tagged).build();
        let mut pulled = self.api().create_image(Some(options), None, None);
        let mut layers: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        while let Some(line) = pulled.next().await {
            let line = line.map_err(|error| missing(why(&error)))?;
            if let Some(error) = line.error_detail {
                return Err(missing(error.message.unwrap_or_default()));
            }
            let progress = line.progress_detail.and_then(|at| Some((at.current?, at.total?)));
            if let (Some(layer), Some(at)) = (line.id, progress) {
                layers.insert(layer, at);
                let (done, all) = layers.values().fold((0, 0), |(done, all), at| (done + at.0, all + at.1));
                tell(&format!("pulling {image}: {} of {} MB", done / 1_000_000, all / 1_000_000));
            }
        }
        Ok(())
    }

    /// A label of an image, if it has it.
    ///
    /// # Errors
    /// When the engine does not answer, or knows no such image.
    pub async fn image_label(&self, image: &str, label: &str) -> Result<Option<String>, EngineError> {
        let what = format!("read the labels of the image {image} ({})", self.host());
        let said = self.api().inspect_image(image).await.map_err(|error| match status(&error) {
            Some(_) => EngineError::refused(what)(error),
            None => EngineError::NoEngine { host: self.host().to_owned(), why: innermost(&error) },
        })?;
        Ok(said.config.and_then(|config| config.labels?.remove(label)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::every_tag("frrouting/frr:v8.2.2", "fabric/frr")]
    #[case::without_a_tag("frrouting/frr", "fabric/frr")]
    #[case::the_whole_name_first("nicolaka/netshoot:latest", "local/netshoot")]
    #[case::another_tag("nicolaka/netshoot:v0.9", "fabric/node")]
    #[case::nothing_said("quay.io/frr:1", "quay.io/frr:1")]
    #[case::a_port_is_no_tag("localhost:5000/frr", "fabric/local")]
    #[case::a_digest("frrouting/frr@sha256:00", "fabric/frr")]
    fn the_image_that_stands_for_it(#[case] image: &str, #[case] stands: &str) {
        let mut map = ImageMap::default();
        for line in [
            "frrouting/frr=fabric/frr",
            "nicolaka/netshoot:latest=local/netshoot",
            "nicolaka/netshoot=fabric/node",
            "localhost:5000/frr=fabric/local",
        ] {
            map.add(line).expect("a name and another");
        }
        assert_eq!(map.of(image), stands);
    }

    #[rstest]
    #[case("frr")]
    #[case("=x")]
    #[case("x=")]
    fn half_a_pair_is_refused(#[case] text: &str) {
        let error = ImageMap::default().add(text).expect_err("half of it is missing");
        assert!(error.contains("frrouting/frr=fabric/frr"), "{error}");
    }
}
