//! Many on one cache, and a holder of its lock that dies.

use std::process::Stdio;

use crate::served::served;
use crate::support::{TestEnv, command};

#[test]
#[ignore = "needs flock"]
fn n06_a_lock_whose_holder_is_killed_is_free_at_once() {
    let env = TestEnv::new();
    let base = served(&env);
    let warm = format!("cache warm {}", base.tag());
    env.rbuild(&env.path("home"), &warm).succeeds();
    for name in ["lock", "use"] {
        let file = env.cache().join("img/.rbuild").join(name);
        let file = file.display().to_string();
        let mut holder = command(
            "flock",
            &["-o", &file, "sh", "-c", "echo held; exec sleep 100"],
        );
        let mut holder = holder.stdout(Stdio::piped()).spawn().expect("started");
        let mut held = String::new();
        let mut said = std::io::BufReader::new(holder.stdout.take().expect("piped"));
        std::io::BufRead::read_line(&mut said, &mut held).expect("said");
        holder.kill().expect("killed");
        holder.wait().expect("ended");
        let pin = format!("cache warm {} {}", base.tag(), base.pin());
        let run = env.rbuild(&env.path("home"), &pin).succeeds();
        assert!(!run.stderr().contains("waiting"), "{}", run.stderr());
    }
}
