//! Many choices of a metric's parameters by one query give what each gives alone.

use pipeline::definition::Definitions;
use pipeline::metric::{self, Catalogue, Choice, Grain, Metric, Period, Request, Sample};
use pipeline::query::View;

use crate::harness::{day, simulated_district, wait};

fn ask(view: &View, metric: &Metric, choices: &[Choice]) -> Vec<Vec<Sample>> {
    let whole = Period { start: day("2025-01-01"), end: day("2025-07-01") };
    let periods = metric::periods(whole, Grain::Quarter);
    let mut scopes = view.tree().resolve("district").unwrap();
    scopes.extend(view.tree().resolve("towns").unwrap());
    let request = Request {
        periods: &periods,
        scopes: &scopes,
        parameters: &Choice::new(),
        as_of: day("2025-06-20"),
    };
    wait(metric::evaluate_each(view, metric, &request, choices)).unwrap()
}

#[test]
fn a_parameter_that_is_left_out_is_the_same_question_as_its_default() {
    let lake = simulated_district();
    let catalogue = Catalogue::load(&Definitions::load(None).unwrap()).unwrap();
    let metric = catalogue.get("officer_activity_ratio").unwrap();
    let view = lake.view();
    let left_out = ask(&view, metric, &[Choice::new()]);
    let remembered = view.remembered();
    assert!(remembered > 0);
    let default = metric.parameter_values(&Choice::new()).unwrap();
    assert_eq!(ask(&view, metric, &[default]), left_out);
    assert_eq!(view.remembered(), remembered);
}

#[test]
fn all_choices_by_one_query_are_what_each_is_alone() {
    let lake = simulated_district();
    let catalogue = Catalogue::load(&Definitions::load(None).unwrap()).unwrap();
    // Each view remembers what it was asked, so that there is one for either way.
    let (together, alone) = (lake.view(), lake.view());
    let mut told = 0;
    for metric in catalogue.iter().filter(|metric| metric.joins_choices()) {
        let choices = metric.choices(|_, _| true);
        let all = ask(&together, metric, &choices);
        assert_eq!(all.len(), choices.len());
        // Of metrics with many choices some: each alone takes a query.
        let step = choices.len().div_ceil(8);
        for (place, choice) in choices.iter().enumerate().step_by(step) {
            let expected = ask(&alone, metric, std::slice::from_ref(choice));
            assert_eq!(all[place], expected[0], "{} {choice:?}", metric.id());
            told += usize::from(expected[0].iter().any(|sample| sample.value > Some(0.0)));
        }
    }
    assert!(told > 40, "{told} choices have numbers to compare");
}
