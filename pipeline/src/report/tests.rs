use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn an_edition_names_its_period() {
    let period = |edition: Edition| {
        edition.period().map(|period| (period.start.to_string(), period.end.to_string()))
    };
    let year = ("2024-01-01".to_owned(), "2025-01-01".to_owned());
    assert_eq!(period(Edition::Year(2024)).unwrap(), year);
    assert_eq!(period(Edition::Unit(2024, "town-longxi".to_owned())).unwrap(), year);
    let december = ("2024-12-01".to_owned(), "2025-01-01".to_owned());
    assert_eq!(period(Edition::Month(2024, 12)).unwrap(), december);
    assert!(period(Edition::Month(2024, 13)).is_err());
}

fn org(org_id: &str, name: &str, kind: &str, from: Option<&str>, to: Option<&str>) -> Org {
    Org {
        org_id: org_id.to_owned(),
        name: name.to_owned(),
        name_en: None,
        kind: kind.to_owned(),
        area: None,
        parent_id: None,
        valid_from: from.map(day),
        valid_to: to.map(day),
    }
}

#[test]
fn a_report_is_named_after_the_district_and_the_unit_of_its_period() {
    let change = Some("2025-11-06");
    let tree = Tree::new(vec![
        org("district-yubei", "渝北区", "district", None, change),
        org("district-liangjiang", "两江新区", "district", change, None),
        org("district-beibei", "北碚区", "district", change, None),
        org("town-longxi", "龙溪街道", "town", None, change),
        org("town-longxi", "新龙溪街道", "town", change, None),
    ]);
    let title = |edition: Edition| {
        let subject = Subject::of(&tree, &edition, edition.period().unwrap()).unwrap();
        edition.title(&subject.name)
    };
    assert_eq!(title(Edition::Year(2024)), "渝北区2024年度行政执法工作情况报告");
    assert_eq!(title(Edition::Month(2025, 5)), "渝北区2025年5月行政执法工作情况月报");
    // Two districts have followed by the end of the year, and neither is meant.
    assert_eq!(title(Edition::Year(2025)), "渝北区2025年度行政执法工作情况报告");
    assert_eq!(title(Edition::Year(2026)), "2026年度行政执法工作情况报告");
    let unit = |year| title(Edition::Unit(year, "town-longxi".to_owned()));
    assert_eq!(unit(2024), "龙溪街道2024年度行政执法工作情况报告");
    assert_eq!(unit(2026), "新龙溪街道2026年度行政执法工作情况报告");
    let nobody = Edition::Unit(2024, "town-nowhere".to_owned());
    assert!(Subject::of(&tree, &nobody, nobody.period().unwrap()).is_err());
}
