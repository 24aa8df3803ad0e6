//! Which tier each box of a connected fabric belongs to: 0 is the lowest. Where in its tier it stands is `order`'s matter.

use std::collections::VecDeque;

use crate::record::Role;

/// The tiers of the boxes of one connected part. Cluster nodes are the ground; where there are none, hosts; where there are
/// none either, names that say what a router is for, else the routers with the fewest links. The others stand as high
/// above the ground as the fewest links that lead there. `None` where nothing tells up from down: a ring, a full mesh.
pub(super) fn tiers(boxes: &[(Role, &str)], links: &[(usize, usize)]) -> Option<Vec<usize>> {
    let mut near: Vec<Vec<usize>> = vec![Vec::new(); boxes.len()];
    for &(a, b) in links.iter().filter(|(a, b)| a != b) {
        near[a].push(b);
        near[b].push(a);
    }
    for near in &mut near {
        near.sort_unstable();
        near.dedup();
    }
    let all_of = |role: Role| -> Vec<usize> { (0..boxes.len()).filter(|&at| boxes[at].0 == role).collect() };
    let (nodes, hosts) = (all_of(Role::ClusterNode), all_of(Role::Host));
    if !nodes.is_empty() {
        let mut tiers = distances(&nodes, &near);
        for host in hosts.into_iter().filter(|&host| near[host].len() == 1) {
            // Below a router of the racks; above what stands higher: there it is somebody outside.
            let tier = tiers[near[host][0]];
            tiers[host] = if tier > 1 { tier + 1 } else { tier.saturating_sub(1) };
        }
        return Some(named(boxes, &tiers).unwrap_or(tiers));
    }
    if !hosts.is_empty() {
        let tiers = distances(&hosts, &near);
        return Some(named(boxes, &tiers).unwrap_or(tiers));
    }
    if let Some(tiers) = named(boxes, &vec![0; boxes.len()]) {
        return Some(tiers);
    }
    let fewest = near.iter().map(Vec::len).min().unwrap_or(0);
    let ground: Vec<usize> = (0..boxes.len()).filter(|&at| near[at].len() == fewest).collect();
    if boxes.len() > 2 && ground.len() == boxes.len() {
        return None;
    }
    Some(distances(&ground, &near))
}

fn distances(from: &[usize], near: &[Vec<usize>]) -> Vec<usize> {
    let mut distance = vec![usize::MAX; near.len()];
    let mut queue: VecDeque<usize> = from.iter().copied().collect();
    for &at in from {
        distance[at] = 0;
    }
    while let Some(at) = queue.pop_front() {
        for &next in &near[at] {
            if distance[next] == usize::MAX {
                distance[next] = distance[at] + 1;
                queue.push_back(next);
            }
        }
    }
    distance
}

/// The tiers by name, where every router's name says which it is of and they are not all the same. What is no router keeps
/// what `found` has, as long as that is near the ground.
fn named(boxes: &[(Role, &str)], found: &[usize]) -> Option<Vec<usize>> {
    let others =
        || boxes.iter().zip(found).filter(|((role, _), _)| *role != Role::Router).map(|(_, tier)| *tier);
    let levels: Option<Vec<usize>> =
        boxes.iter().filter(|(role, _)| *role == Role::Router).map(|(_, name)| level(name)).collect();
    let mut known = levels.filter(|_| others().all(|tier| tier <= 1))?;
    known.sort_unstable();
    known.dedup();
    if known.len() < 2 {
        return None;
    }
    let lowest = others().max().map_or(0, |tier| tier + 1);
    let tier = |((role, name), found): (&(Role, &str), &usize)| match role {
        Role::Router => lowest + known.iter().position(|own| level(name) == Some(*own)).unwrap_or(0),
        _ => *found,
    };
    Some(boxes.iter().zip(found).map(tier).collect())
}

/// How high a router of this name stands in fabrics that use these words.
fn level(name: &str) -> Option<usize> {
    let name = name.to_ascii_lowercase().replace(['-', '_', '.'], "");
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["core", "backbone"]) {
        Some(4)
    } else if has(&["superspine"]) || name.starts_with("ssp") {
        Some(3)
    } else if has(&["spine", "agg", "dist"]) {
        Some(2)
    } else if has(&["leaf", "tor", "access", "edge", "rack"]) {
        Some(1)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn of(boxes: &[(Role, &str)], links: &[(usize, usize)]) -> Option<Vec<usize>> {
        tiers(boxes, links)
    }

    const R: Role = Role::Router;
    const N: Role = Role::ClusterNode;
    const H: Role = Role::Host;
    const B: Role = Role::Bridge;

    #[rstest]
    #[case::article(&[(R, "router0"), (R, "tor0"), (R, "tor1"), (N, "a"), (N, "b")], &[(0, 1), (0, 2), (1, 3), (2, 4)], Some(vec![2, 1, 1, 0, 0]))]
    #[case::by_name(&[(R, "spine1"), (R, "spine2"), (R, "leaf1")], &[(0, 2), (1, 2)], Some(vec![1, 1, 0]))]
    #[case::more_leaves(&[(R, "a"), (R, "b"), (R, "c"), (R, "d")], &[(0, 1), (0, 2), (0, 3)], Some(vec![1, 0, 0, 0]))]
    #[case::alone(&[(R, "r")], &[], Some(vec![0]))]
    #[case::two(&[(R, "r1"), (R, "r2")], &[(0, 1)], Some(vec![0, 0]))]
    #[case::ring(&[(R, "a"), (R, "b"), (R, "c")], &[(0, 1), (1, 2), (2, 0)], None)]
    #[case::host_on_the_spine(&[(R, "x"), (R, "y"), (N, "n"), (H, "h")], &[(0, 1), (1, 2), (0, 3)], Some(vec![2, 1, 0, 3]))]
    #[case::behind_a_bridge(
        &[(R, "spine"), (R, "leaf1"), (R, "leaf2"), (B, "br"), (H, "h"), (H, "i")],
        &[(0, 1), (0, 2), (1, 3), (3, 4), (2, 5)],
        Some(vec![3, 2, 2, 1, 0, 0])
    )]
    #[case::spine_with_a_node(&[(R, "spine"), (R, "leaf"), (N, "n"), (N, "m")], &[(0, 1), (1, 2), (0, 3)], Some(vec![2, 1, 0, 0]))]
    fn a_box_is_on_its_tier(
        #[case] boxes: &[(Role, &str)],
        #[case] links: &[(usize, usize)],
        #[case] expected: Option<Vec<usize>>,
    ) {
        assert_eq!(of(boxes, links), expected);
    }
}
