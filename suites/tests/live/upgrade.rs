//! An upgrade before it happens: the article's lab written for a later Cilium passes on the twin of that version.

use super::support::{Ground, article};

#[test]
fn the_articles_lab_written_for_a_later_cilium_passes() {
    let Some(ground) = Ground::new("the_articles_lab_written_for_a_later_cilium_passes") else { return };
    let article = article();
    let (lab, to) = (article.to_str().unwrap(), ground.path("later"));
    let to = to.to_str().unwrap();
    // What breaks is a failed check; what is written is whole all the same.
    let checked = ground.run(&["upgrade", "check", lab, "--to", "1.20.0", "--write", to]).code(1);
    assert!(checked.out.contains("4 nodes speak BGP now, 0 will if nothing is done"), "{}", checked.out);
    assert!(checked.out.contains("+routingMode: native"), "{}", checked.out);
    ground.run(&["test", to, "--fresh"]).code(0);
    // Once more into the same folder: it is left alone.
    let again = ground.run(&["upgrade", "check", lab, "--to", "1.20.0", "--write", to]).code(2);
    assert!(again.err.contains("is there already, and is not empty"), "{}", again.err);
    let matrix =
        ["matrix", lab, "--cilium", "1.18.0,1.19.0", "--migrate", "--only", "policy::routes::router0"];
    let matrix = ground.run(&matrix).code(0);
    assert!(matrix.out.contains("passed on 2 of 2 versions"), "{}", matrix.out);
}
