//! The lessons, each as a reader takes it: chosen, predicted, run on three real nodes, and its facts judged by what came.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::browser::{Browser, Driver};

/// The lessons as they are compiled in.
const LESSONS: &str = include_str!("../../src/host/web/page/lessons.json");
/// How long a lesson may take; it takes a fraction of this.
const LIMIT: Duration = Duration::from_secs(60);

/// `node demo --web`, and the address of its first page.
struct Class {
    demo: Child,
    link: String,
}

impl Class {
    fn begin() -> Class {
        let mut demo = Command::new(env!("CARGO_BIN_EXE_node"))
            .args(["demo", "--web"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(demo.stdout.take().unwrap());
        let told: Vec<String> = output
            .lines()
            .map(Result::unwrap)
            .take_while(|line| !line.contains("Ctrl-C"))
            .collect();
        let link = |line: &String| line.split(": ").last().map(str::to_string);
        let link = told.iter().find(|line| line.contains("node 1")).and_then(link);
        Class {
            demo,
            link: link.unwrap_or_else(|| panic!("the demo tells its pages: {told:?}")),
        }
    }
}

impl Drop for Class {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.demo), Signal::INT).unwrap_or_default();
        assert_eq!(
            self.demo.wait().unwrap().code(),
            Some(0),
            "the demo ends in order"
        );
    }
}

#[test]
fn every_lesson_holds_what_it_says() {
    let class = Class::begin();
    let driver = Driver::start();
    let page = driver.browser("en-US");
    page.open(&class.link);
    page.wait(
        "the lessons",
        "document.querySelectorAll('.lesson-open').length >= 8",
    );
    page.wait_members(3);
    let lessons: Value = serde_json::from_str(LESSONS).unwrap();
    for (index, lesson) in lessons["lessons"].as_array().unwrap().iter().enumerate() {
        // Every other time the prediction is wrong, and the page says so.
        let right = lesson["predict"]["right"].as_u64().unwrap();
        let options = lesson["predict"]["options"].as_array().unwrap().len() as u64;
        let predicted = if index % 2 == 0 {
            right
        } else {
            (right + 1) % options
        };
        take(
            &page,
            lesson["id"].as_str().unwrap(),
            predicted,
            predicted == right,
        );
    }
    assert_eq!(page.complaints(), Vec::<String>::new());
}

/// Takes one lesson, and goes back to the list.
fn take(page: &Browser, id: &str, predicted: u64, right: bool) {
    page.js(&format!(
        "document.querySelector('.lesson-open[data-lesson=\"{id}\"]').click()"
    ));
    // Nothing is done before a prediction.
    assert_eq!(
        page.js("return document.querySelector('.lesson-run').disabled"),
        true,
        "{id}"
    );
    page.js(&format!(
        "document.querySelector('.predict input[value=\"{predicted}\"]').click()"
    ));
    page.js("document.querySelector('.lesson-run').click()");
    page.wait_within(LIMIT, id, "document.querySelector('.verdict')");
    let facts =
        page.js("return [...document.querySelectorAll('.lesson-facts li')].map((line) => line.innerText)");
    let verdict = page.text(".verdict");
    let broken = page.js("return document.querySelectorAll('.lesson-facts .fails, .verdict.broken').length");
    assert_eq!(broken, 0, "{id}: {verdict}: {facts}");
    let expected = if right {
        "Your prediction held."
    } else {
        "otherwise than you predicted"
    };
    assert!(verdict.contains(expected), "{id}: {verdict}");
    page.js("document.querySelector('.lesson-back').click()");
}

#[test]
fn every_lesson_has_all_its_words_in_three_languages() {
    let lessons: Value = serde_json::from_str(LESSONS).unwrap();
    let lessons = lessons["lessons"].as_array().unwrap();
    assert!(lessons.len() >= 8);
    for lesson in lessons {
        let predict = &lesson["predict"];
        let mut texts = vec![
            &lesson["title"],
            &lesson["scene"],
            &predict["question"],
            &predict["why"],
        ];
        texts.extend(predict["options"].as_array().unwrap());
        texts.extend(
            lesson["facts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|fact| &fact["text"]),
        );
        for text in texts {
            for language in ["en", "pt", "es"] {
                let words = text[language].as_str().unwrap_or_default();
                assert!(!words.is_empty(), "{} lacks {language}: {text}", lesson["id"]);
                // What the page and the terminal call the token there.
                let is_english = language == "en" || !words.to_lowercase().contains("token");
                assert!(is_english, "{}: {words}", lesson["id"]);
            }
        }
        assert!(predict["right"].as_u64().unwrap() < predict["options"].as_array().unwrap().len() as u64);
        assert_ne!(lesson["facts"], json!([]));
    }
}
