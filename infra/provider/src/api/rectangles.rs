//! Pairs of images and projects, as the calls that change them take them: images × projects.

use std::collections::{BTreeMap, BTreeSet};

use super::Limits;

/// One image and one project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The image.
    pub image_id: String,
    /// The project.
    pub project_id: String,
}

/// Every one of some images with every one of some projects: what one call changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rectangle {
    /// The images.
    pub images: Vec<String>,
    /// The projects.
    pub projects: Vec<String>,
}

/// Covers pairs exactly by rectangles within the limits of a call: no pair is left out, none is added, and none is in
/// two of them. Images that miss the same projects are in the same rectangles.
pub fn cover(pairs: &BTreeSet<Pair>, limits: &Limits) -> Vec<Rectangle> {
    let mut projects_of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for pair in pairs {
        projects_of.entry(&pair.image_id).or_default().push(&pair.project_id);
    }
    let mut images_of: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (image, projects) in projects_of {
        images_of.entry(projects).or_default().push(image);
    }
    images_of.iter().flat_map(|(projects, images)| split(images, projects, limits)).collect()
}

/// Splits a rectangle into those that a call takes.
fn split(images: &[&str], projects: &[&str], limits: &Limits) -> Vec<Rectangle> {
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let mut all = Vec::new();
    for projects in projects.chunks(limits.projects_per_request.min(limits.pairs_per_job).max(1)) {
        let images_per_call = limits.images_per_request.min(limits.pairs_per_job / projects.len()).max(1);
        for images in images.chunks(images_per_call) {
            all.push(Rectangle { images: owned(images), projects: owned(projects) });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            images_per_request: 1000,
            projects_per_request: 1000,
            pairs_per_job: 10_000,
            ..Limits::default()
        }
    }

    fn pair(image: usize, project: usize) -> Pair {
        Pair { image_id: format!("i{image:04}"), project_id: format!("p{project:04}") }
    }

    fn pairs_of(rectangles: &[Rectangle]) -> Vec<Pair> {
        let of_one = |one: &Rectangle| {
            let projects = one.projects.clone();
            let with = move |image: &String| {
                let image = image.clone();
                projects
                    .iter()
                    .map(move |project| Pair { image_id: image.clone(), project_id: project.clone() })
                    .collect::<Vec<_>>()
            };
            one.images.iter().flat_map(with).collect::<Vec<_>>()
        };
        rectangles.iter().flat_map(of_one).collect()
    }

    #[test]
    fn whole_sets_take_few_calls() {
        let calls = |images: usize, projects: usize| {
            let pairs = (0..images).flat_map(|i| (0..projects).map(move |p| pair(i, p))).collect();
            let rectangles = cover(&pairs, &limits());
            assert_eq!(pairs_of(&rectangles).into_iter().collect::<BTreeSet<_>>(), pairs);
            rectangles.len()
        };
        assert_eq!(calls(1, 1000), 1);
        assert_eq!(calls(1000, 10), 1);
        assert_eq!(calls(100, 100), 1);
        assert_eq!(calls(20, 1000), 2);
    }

    #[test]
    fn scattered_pairs_are_covered_exactly() {
        let pairs: BTreeSet<Pair> = (0..40).map(|n| pair(n % 7, n * n % 11)).collect();
        let covered = pairs_of(&cover(&pairs, &limits()));
        assert_eq!(covered.len(), pairs.len());
        assert_eq!(covered.into_iter().collect::<BTreeSet<_>>(), pairs);
    }

    #[test]
    fn older_limits_are_kept() {
        let older = Limits {
            images_per_request: 100,
            projects_per_request: 100,
            pairs_per_job: 10_000,
            ..Limits::default()
        };
        let pairs = (0..3).flat_map(|i| (0..250).map(move |p| pair(i, p))).collect();
        let rectangles = cover(&pairs, &older);
        assert!(rectangles.iter().all(|one| one.images.len() <= 100 && one.projects.len() <= 100));
        assert_eq!(rectangles.len(), 3);
        assert_eq!(pairs_of(&rectangles).len(), 750);
    }
}
