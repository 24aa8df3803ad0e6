//! A pod's first process, where the cluster's nodes are containers of this machine.
//!
//! What lives here: from a pod's container id to a pid, by the control groups of this machine's processes. A kubelet puts every
//! container into a group that is named after it, whatever the driver and the version of cgroups.

use std::path::Path;

use k8s_openapi::api::core::v1::Pod;

/// The first process of a pod's first container, as this machine sees it; none if it does not run here.
pub(crate) fn process_of(pod: &Pod) -> Option<i32> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let id = statuses.iter().find_map(|status| status.container_id.as_deref())?;
    first_in(Path::new("/proc"), id.rsplit('/').next().filter(|id| id.len() >= 12)?)
}

fn first_in(proc: &Path, container: &str) -> Option<i32> {
    let pids = std::fs::read_dir(proc).ok()?.flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    // The first that was started; those it started have larger numbers, until numbers begin anew.
    pids.filter(|pid| {
        let groups = std::fs::read_to_string(proc.join(pid.to_string()).join("cgroup")).unwrap_or_default();
        groups.lines().any(|line| line.contains(container))
    })
    .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_process_of_a_container() {
        let room = tempfile::tempdir().unwrap();
        let id = "4f2b6c8e1a3d5f7092b4d6e8f0a1c3e5";
        let group = format!(
            "0::/docker/abc/kubelet.slice/kubepods-besteffort-pod1.slice/cri-containerd-{id}.scope\n"
        );
        for (pid, text) in [("7", "0::/init.scope\n"), ("4711", group.as_str()), ("4720", group.as_str())] {
            std::fs::create_dir(room.path().join(pid)).unwrap();
            std::fs::write(room.path().join(pid).join("cgroup"), text).unwrap();
        }
        std::fs::create_dir(room.path().join("sys")).unwrap();
        assert_eq!(first_in(room.path(), id), Some(4711));
        assert_eq!(first_in(room.path(), "0000000000000000"), None);
        let pod: Pod = serde_json::from_value(serde_json::json!({"metadata": {}})).unwrap();
        assert_eq!(process_of(&pod), None);
    }
}
