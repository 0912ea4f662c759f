use super::*;

fn settings(key: Option<&str>, overlap: Overlap) -> Settings {
    Settings {
        database: "postgres://me@db/platform".parse().unwrap(),
        password_env: None,
        encryption: Encryption::Off,
        relation: "\"acts\"".to_owned(),
        cursor: "updated_at".to_owned(),
        key: key.map(str::to_owned),
        overlap,
        batch: 10,
        timeout: Duration::from_secs(60),
    }
}

fn place(cursor: &str, key: Option<&str>) -> Place {
    Place { cursor: cursor.to_owned(), key: key.map(str::to_owned) }
}

#[track_caller]
fn check(question: &Question, condition: &str, values: &[&str]) {
    let (_, found) = question.sql.split_once(" where ").unwrap();
    assert_eq!(
        (found, question.values.iter().map(String::as_str).collect::<Vec<_>>()),
        (condition, values.to_vec())
    );
}

#[test]
fn the_first_question_is_about_all_rows_and_a_later_one_goes_back_by_the_overlap() {
    let settings = settings(Some("id"), Overlap::Default);
    let all = settings.question(&Type::TIMESTAMPTZ, Some("t"), None, None, 10);
    check(&all, "r.\"updated_at\" is not null order by r.\"updated_at\", r.\"id\" limit 10", &[]);
    let later = settings.question(&Type::TIMESTAMPTZ, Some("t"), Some("2025-01-01"), None, 10);
    check(
        &later,
        "r.\"updated_at\" >= $1::text::\"pg_catalog\".\"timestamptz\" - interval '60000 milliseconds' \
         order by r.\"updated_at\", r.\"id\" limit 10",
        &["2025-01-01"],
    );
}

#[test]
fn within_a_round_a_question_goes_on_after_the_last_row() {
    let keyed = settings(Some("id"), Overlap::Default);
    let next =
        keyed.question(&Type::INT8, Some("\"k\""), Some("1"), Some(&place("7", Some("a"))), 10);
    check(
        &next,
        "(r.\"updated_at\", r.\"id\") > ($1::text::\"pg_catalog\".\"int8\", $2::text::\"k\") \
         order by r.\"updated_at\", r.\"id\" limit 10",
        &["7", "a"],
    );
    let keyless = settings(None, Overlap::Default);
    let next = keyless.question(&Type::INT8, None, Some("1"), Some(&place("7", None)), 20);
    check(
        &next,
        "r.\"updated_at\" >= $1::text::\"pg_catalog\".\"int8\" order by r.\"updated_at\" limit 20",
        &["7"],
    );
}

#[test]
fn an_overlap_is_of_the_kind_of_its_cursor() {
    let by_default = settings(None, Overlap::Default);
    assert_eq!(by_default.overlap_of(&Type::INT8), " - 1000");
    assert_eq!(by_default.overlap_of(&Type::TEXT), "");
    let time = settings(None, Overlap::Time(Duration::from_secs(2)));
    assert_eq!(time.overlap_of(&Type::TIMESTAMP), " - interval '2000 milliseconds'");
    assert!(time.check_overlap(&Type::DATE).is_ok());
    let error = time.check_overlap(&Type::INT8).unwrap_err().to_string();
    assert!(error.contains("int8") && error.contains("a number for a number"), "{error}");
    assert!(settings(None, Overlap::Number(5)).check_overlap(&Type::TEXT).is_err());
}

#[test]
fn names_are_quoted_whatever_their_letters_are() {
    assert_eq!(quoted_table("public.acts"), "\"public\".\"acts\"");
    assert_eq!(quoted("a\"; drop table b"), "\"a\"\"; drop table b\"");
}
