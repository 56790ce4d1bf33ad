use super::*;

/// Reads a condition over `a`, which merged with two stubs, and `b`, which failed.
fn holds(text: &str) -> bool {
    let when = read(text, &mut Nearest::default()).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
    let json = serde_json::to_string(&when).unwrap();
    assert_eq!(serde_json::from_str::<When>(&json).unwrap(), when);
    when.condition.holds(&|task| if task.as_str() == "a" { "merged" } else { "failed" }, &|task, category| {
        if (task.as_str(), category.as_str()) == ("a", "stubs") { 2 } else { 0 }
    })
}

#[test]
fn conditions_mean_what_they_say() {
    for (text, expected) in [
        ("${tasks.a.outcome} == 'merged'", true),
        ("'failed' == ${ tasks.a.outcome }", false),
        ("${tasks.a.outcome} != \"merged\"", false),
        ("${tasks.a.outputs.stubs} == 2", true),
        ("0==${tasks.b.outputs.stubs}", true),
        ("${tasks.a.outcome} == ${tasks.b.outcome}", false),
        ("!${tasks.a.outcome} == 'failed'", true),
        // `&&` binds tighter than `||`.
        (
            "${tasks.a.outcome} == 'merged' || ${tasks.a.outcome} == 'failed' && ${tasks.b.outcome} == 'merged'",
            true,
        ),
        (
            "(${tasks.a.outcome} == 'merged' || ${tasks.a.outcome} == 'failed') && ${tasks.b.outcome} == 'merged'",
            false,
        ),
        ("  !(\\t${tasks.a.outcome} == 'merged' && !(${tasks.b.outcome} == 'merged'))\\n", false),
    ] {
        assert_eq!(holds(&text.replace("\\t", "\t").replace("\\n", "\n")), expected, "{text}");
    }
}

#[test]
fn what_is_no_condition_says_where_and_why() {
    for (text, marked, message) in [
        ("${tasks.a.outcome}", "}", "ends where `==` or `!=` is expected"),
        ("${tasks.a.outcome} = 'merged'", "=", "`==` or `!=` is expected here, not `=`"),
        ("${tasks.a.outcome} == merged", "m", "a quoted word or a number is expected"),
        ("${tasks.a.outcome} == 'merged", "'merged", "has no end"),
        ("${tasks.a.outcome} == 'merge'", "'merge'", "no task ends as \"merge\""),
        ("${tasks.a.outcome} == 2", "${tasks.a.outcome} == 2", "never the same"),
        ("${tasks.a.outputs.x} == 'many'", "${tasks.a.outputs.x} == 'many'", "never the same"),
        ("1 == 1", "1 == 1", "looks at no task"),
        ("${tasks.a.outcom} == 'merged'", "${tasks.a.outcom}", "no `outcom`"),
        ("${input.x} == 'merged'", "${input.x}", "cannot look at `${input.x}`"),
        ("${tasks.A.outcome} == 'merged'", "${tasks.A.outcome}", "\"A\" cannot be a task"),
        ("${tasks.a.outputs.B} == 1", "${tasks.a.outputs.B}", "\"B\" cannot be a category"),
        ("${tasks.a.outcome == 'merged'", "${tasks.a.outcome == 'merged'", "without a `}`"),
        ("(${tasks.a.outcome} == 'merged'", "'", "ends where `)` is expected"),
        ("${tasks.a.outcome} == 'merged' and", "a", "`&&`, `||` or the end is expected here"),
        ("${tasks.a.outputs.x} == 99999999999", "99999999999", "too large"),
        ("${tasks.a.outcome} == 'merged' &&", "&", "ends where"),
    ] {
        let problem = read(text, &mut Nearest::default()).expect_err(text);
        assert!(problem.message.contains(message), "{text}: {problem:?}");
        assert_eq!(&text[problem.span.clone()], marked, "{text}: {problem:?}");
        assert!(!problem.hint.is_empty(), "{text}");
    }
}

#[test]
fn a_condition_is_nested_only_so_deep() {
    let nested =
        |depth: usize| format!("{}${{tasks.a.outcome}} == 'merged'{}", "(".repeat(depth), ")".repeat(depth));
    assert!(holds(&nested(32)));
    for deep in [nested(33), format!("{}${{tasks.a.outcome}} == 'merged'", "!".repeat(100_000))] {
        let problem = read(&deep, &mut Nearest::default()).expect_err("too deep");
        assert!(problem.message.contains("too deep"), "{}", problem.message);
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_condition_or_says_why_within_itself(text in "[ ()!&|='a-z0-9.{}$\"äö]{0,60}") {
        if let Err(problem) = read(&text, &mut Nearest::default()) {
            proptest::prop_assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
        }
    }
}
