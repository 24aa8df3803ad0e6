//! Phases and conditions, found.

use rstest::rstest;

use super::*;

fn seen(state: State) -> Seen {
    Seen { name: "a".into(), image: "i".into(), state, last: None, restarts: 0 }
}

fn end(code: i32) -> State {
    let reason = if code == 0 { "Completed" } else { "Error" };
    State::Ended(Ended { code, reason, message: String::new(), started: None, finished: now() })
}

fn wait(reason: &'static str) -> State {
    State::Waiting(reason, String::new())
}

fn run() -> State {
    State::Running(now())
}

fn whole(policy: &str, inits: Vec<State>, containers: Vec<State>) -> Whole {
    let pod = json!({"metadata": {"name": "p"}, "spec": {"restartPolicy": policy, "containers": []}});
    let pod = serde_json::from_value(pod).unwrap();
    let all = |states: Vec<State>| states.into_iter().map(seen).collect();
    Whole::new(&pod, Vec::new(), all(inits), all(containers))
}

#[rstest]
#[case::created("Always", vec![], vec![wait("ContainerCreating")], "Pending")]
#[case::up("Always", vec![], vec![run()], "Running")]
#[case::half_up("Always", vec![], vec![run(), wait("ContainerCreating")], "Pending")]
#[case::half_down("Never", vec![], vec![run(), end(1)], "Running")]
#[case::crashed("Always", vec![], vec![end(1)], "Running")]
#[case::done("Never", vec![], vec![end(0)], "Succeeded")]
#[case::bad("Never", vec![], vec![end(0), end(3)], "Failed")]
#[case::again("OnFailure", vec![], vec![end(3)], "Running")]
#[case::done_at_last("OnFailure", vec![], vec![end(0)], "Succeeded")]
#[case::initializing("Always", vec![run()], vec![wait("PodInitializing")], "Pending")]
#[case::init_failed("Never", vec![end(1)], vec![wait("PodInitializing")], "Failed")]
#[case::init_fails("Always", vec![end(1)], vec![wait("PodInitializing")], "Pending")]
#[case::initialized("Always", vec![end(0)], vec![run()], "Running")]
fn the_phase_follows_from_the_containers(
    #[case] policy: &str,
    #[case] inits: Vec<State>,
    #[case] containers: Vec<State>,
    #[case] phase: &str,
) {
    assert_eq!(whole(policy, inits, containers).phase(), phase);
}

#[test]
fn conditions_say_what_is_missing_and_keep_their_times() {
    let mut pod = whole("Always", vec![run()], vec![wait("PodInitializing")]);
    let condition = |status: &Value, kind: &str| -> Value {
        status["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == kind).unwrap().clone()
    };
    let first = pod.write();
    assert_eq!(condition(&first, "Initialized")["message"], "containers with incomplete status: [a]");
    assert_eq!(condition(&first, "Ready")["message"], "containers with unready status: [a]");
    assert_eq!(condition(&first, "PodReadyToStartContainers")["status"], "False");
    assert_eq!(first["status"]["podIPs"], Value::Null);
    pod.since.insert("PodScheduled", (true, "2024-01-01T00:00:00Z".into()));
    pod.sandbox = true;
    pod.inits[0].state = end(0);
    pod.containers[0].state = run();
    let then = pod.write();
    for kind in ["Initialized", "Ready", "ContainersReady", "PodReadyToStartContainers"] {
        assert_eq!(condition(&then, kind)["status"], "True", "{kind}");
    }
    assert_eq!(condition(&then, "PodScheduled")["lastTransitionTime"], "2024-01-01T00:00:00Z");
    assert_eq!(then["status"]["containerStatuses"][0]["ready"], true);
}

#[test]
fn a_container_waiting_to_start_again_says_how_it_ended() {
    let mut one = seen(wait("CrashLoopBackOff"));
    let State::Ended(how) = end(7) else { panic!("an end") };
    (one.last, one.restarts) = (Some(how), 2);
    let made = container(&one, false);
    assert_eq!((&made["restartCount"], &made["lastState"]["terminated"]["exitCode"]), (&json!(2), &json!(7)));
    assert_eq!(
        (&made["state"]["waiting"]["reason"], &made["ready"]),
        (&json!("CrashLoopBackOff"), &json!(false))
    );
}
