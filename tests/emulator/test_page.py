"""The emulator's page, as a browser shows it to a person."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from local.bridge import PATIENCE_SECONDS, wait_for
from tests.emulator.browser import chromium, found, prefer
from tests.emulator.conftest import Emulator

# In CI its absence is a failure: .ci/run installs it.
pytestmark = pytest.mark.skipif(
    found() is None and "CI" not in os.environ, reason="needs Debian's chromium and chromium-driver, or the like"
)

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def laptop() -> Iterator[Chrome]:
    with chromium(1240, 860) as window:
        yield window


@pytest.fixture(scope="module")
def phone() -> Iterator[Chrome]:
    with chromium(390, 844) as window:
        yield window


def rows(window: Chrome) -> list[WebElement]:
    return window.find_elements(By.CSS_SELECTOR, "#rows tr")


def texts(window: Chrome) -> list[str]:
    # In one go: the page replaces its rows while it is looked at.
    return window.execute_script("return [...document.querySelectorAll('#rows tr')].map((row) => row.innerText)")


def card(window: Chrome, name: str) -> str:
    script = "return [...document.querySelectorAll('.endpoint')].map((card) => card.innerText)"
    return next(text for text in window.execute_script(script) if text.startswith(name))


def invoke(emulator: Emulator, endpoint: str, inference_id: str, body: bytes = b"payload") -> str:
    runtime = emulator.client("sagemaker-runtime")
    names = {"EndpointName": endpoint, "InferenceId": inference_id}
    return runtime.invoke_endpoint_async(Body=body, ContentType="text/html", **names)["OutputLocation"]


def test_it_shows_endpoints_and_invocations_as_they_go(start: Callable[..., Emulator], laptop: Chrome) -> None:
    emulator = start("--endpoint", "demo=echo", "--endpoint", "broken=fail", "--endpoint", "slow=sleep:600")
    laptop.get(f"{emulator.url}/#demo")
    wait_for(
        lambda: "No invocation yet" in laptop.find_element(By.ID, "invocations").text, PATIENCE_SECONDS, "empty list"
    )
    location = invoke(emulator, "demo", "order 4711")
    wait_for(lambda: any("done" in text for text in texts(laptop)), PATIENCE_SECONDS, "row")
    assert "order 4711" in texts(laptop)[0]
    assert location in texts(laptop)[0]
    for number in range(5):
        invoke(emulator, "slow", f"s{number}")
    invoke(emulator, "broken", "b")
    wait_for(lambda: "1\nqueued\n4\nin flight" in card(laptop, "slow"), PATIENCE_SECONDS, "queue")
    wait_for(lambda: "1\nfailed" in card(laptop, "broken"), PATIENCE_SECONDS, "failure")
    next(c for c in laptop.find_elements(By.CLASS_NAME, "endpoint") if c.text.startswith("broken")).click()
    wait_for(lambda: any("Received client error (400)" in text for text in texts(laptop)), PATIENCE_SECONDS, "reason")


def test_an_output_is_seen_and_an_invocation_retried(start: Callable[..., Emulator], laptop: Chrome) -> None:
    emulator = start("--endpoint", "demo=echo")
    invoke(emulator, "demo", "a", b"what the model said")
    laptop.get(emulator.url)
    wait_for(lambda: any("done" in text for text in texts(laptop)), PATIENCE_SECONDS, "row")
    rows(laptop)[0].find_element(By.CLASS_NAME, "see").click()
    wait_for(lambda: laptop.find_element(By.ID, "text").text == "what the model said", PATIENCE_SECONDS, "output")
    laptop.find_element(By.ID, "close").click()
    rows(laptop)[0].find_element(By.CLASS_NAME, "retry").click()
    wait_for(lambda: "2\ndone" in card(laptop, "demo"), PATIENCE_SECONDS, "retry")
    wait_for(lambda: len(texts(laptop)) == 2, PATIENCE_SECONDS, "second row")


def test_what_callers_send_is_text_and_never_markup(start: Callable[..., Emulator], laptop: Chrome) -> None:
    emulator = start("--endpoint", "demo=echo")
    invoke(emulator, "demo", HOSTILE, b"<script>document.title = 'owned'</script>")
    laptop.get(emulator.url)
    wait_for(lambda: any("done" in text for text in texts(laptop)), PATIENCE_SECONDS, "row")
    assert HOSTILE in texts(laptop)[0]
    rows(laptop)[0].find_element(By.CLASS_NAME, "see").click()
    wait_for(lambda: "<script>" in laptop.find_element(By.ID, "text").text, PATIENCE_SECONDS, "output")
    assert laptop.find_elements(By.TAG_NAME, "img") == []
    assert laptop.title == "sagemaker-async-emulator"
    # By itself in a tab it is text too.
    laptop.get(f"{emulator.url}/_emulator/endpoints/demo/invocations/1/output")
    assert laptop.title != "owned"
    assert "<script>" in laptop.find_element(By.TAG_NAME, "body").text


def test_a_list_is_narrowed_by_status_and_inference_id(start: Callable[..., Emulator], laptop: Chrome) -> None:
    emulator = start("--endpoint", "demo=echo")
    for name in ("a", "b"):
        invoke(emulator, "demo", name)
    laptop.get(emulator.url)
    wait_for(lambda: len(texts(laptop)) == 2, PATIENCE_SECONDS, "rows")
    laptop.find_element(By.ID, "search").send_keys("a")
    wait_for(lambda: len(texts(laptop)) == 1, PATIENCE_SECONDS, "one row")
    laptop.find_element(By.ID, "search").clear()
    laptop.find_element(By.CSS_SELECTOR, "#status option[value=Failed]").click()
    wait_for(lambda: texts(laptop) == [], PATIENCE_SECONDS, "no row")


def test_the_endpoint_that_was_used_last_is_shown_first(start: Callable[..., Emulator], laptop: Chrome) -> None:
    emulator = start("--endpoint", "a=echo", "--endpoint", "b=echo", "--endpoint", "c=echo")
    invoke(emulator, "a", "earlier")
    invoke(emulator, "b", "later")
    laptop.get(emulator.url)
    wait_for(lambda: any("later" in text for text in texts(laptop)), PATIENCE_SECONDS, "row")
    assert laptop.find_element(By.ID, "chosen").text == "Invocations of b"


def test_instances_and_backlog_are_drawn_over_time(start: Callable[..., Emulator], laptop: Chrome) -> None:
    emulator = start("--endpoint", "demo=sleep:600", "--cold-start", "1")
    variant = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/demo/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    laptop.get(f"{emulator.url}/#demo")
    wait_for(lambda: laptop.find_element(By.ID, "instances").text == "1", PATIENCE_SECONDS, "first instance")
    emulator.client("application-autoscaling").register_scalable_target(**variant, MinCapacity=3, MaxCapacity=5)
    for number in range(20):
        invoke(emulator, "demo", str(number))
    wait_for(lambda: laptop.find_element(By.ID, "instances").text == "3", PATIENCE_SECONDS, "further instances")
    wait_for(lambda: laptop.find_element(By.ID, "backlog").text == "20", PATIENCE_SECONDS, "backlog")
    assert laptop.find_element(By.ID, "scaling").text == "scaled from 3 to 5"
    # Each in one go: the page draws anew while it is looked at.
    drawn = laptop.execute_script("return document.querySelector('#instances-chart .line').getAttribute('d')")
    # From the first number of instances up to the last: a rise is a smaller y.
    assert drawn.count("V") >= 2
    assert float(drawn.split("V")[-1].split("H")[0]) < float(drawn.split(" ")[1].split("H")[0])
    mark = laptop.execute_script("return document.querySelector('#instances-chart .mark title').textContent")
    assert "set to 3: minimum capacity" in mark


def test_names_stand_on_one_line_and_a_phone_shows_an_invocation_at_once(
    start: Callable[..., Emulator], laptop: Chrome, phone: Chrome
) -> None:
    models = {"a": "echo", "b": "exec:exit 3", "c": "echo", "d": f"exec:exec sleep {'9' * 200}", "e": "echo"}
    emulator = start(*(part for name, model in models.items() for part in ("--endpoint", f"{name}={model}")))
    invoke(emulator, "e", "first")
    script = "return [...document.querySelectorAll('.endpoint .name')].map((name) => name.getBoundingClientRect().top)"
    laptop.get(emulator.url)
    wait_for(lambda: texts(laptop), PATIENCE_SECONDS, "row")
    wait_for(lambda: "ended before it answered GET /ping" in card(laptop, "b"), PATIENCE_SECONDS, "reason")
    tops = laptop.execute_script(script)
    assert len(set(tops[:4])) == 1
    phone.get(emulator.url)
    wait_for(lambda: texts(phone), PATIENCE_SECONDS, "row")
    assert phone.execute_script(
        "return document.querySelector('#rows tr').getBoundingClientRect().bottom < innerHeight"
    )
    cards = phone.find_elements(By.CLASS_NAME, "endpoint")
    wait_for(lambda: 0 <= cards[-1].rect["x"] < 390, PATIENCE_SECONDS, "the card of the endpoint shown")


def test_faults_in_force_are_shown(start: Callable[..., Emulator], laptop: Chrome) -> None:
    emulator = start("--endpoint", "demo=echo", "--fault", "missing-output=1", "--seed", "7")
    invoke(emulator, "demo", "a")
    laptop.get(emulator.url)
    expected = "Faults on demand (seed 7): all endpoints: missing-output 1"
    wait_for(lambda: laptop.find_element(By.ID, "faults").text == expected, PATIENCE_SECONDS, "faults")
    wait_for(
        lambda: any("missing-output" in text for text in texts(laptop)), PATIENCE_SECONDS, "fault of the invocation"
    )


def test_without_an_endpoint_it_says_how_to_get_one(start: Callable[..., Emulator], laptop: Chrome) -> None:
    laptop.get(start().url)
    wait_for(lambda: "No endpoint yet" in laptop.find_element(By.TAG_NAME, "main").text, PATIENCE_SECONDS, "hint")


def test_an_emulator_that_has_gone_shows(start: Callable[..., Emulator], laptop: Chrome) -> None:
    emulator = start("--endpoint", "demo=echo")
    laptop.get(emulator.url)
    wait_for(lambda: laptop.find_element(By.ID, "live").text == "live", PATIENCE_SECONDS, "answer")
    emulator.process.stop()
    wait_for(lambda: "no answer" in laptop.find_element(By.ID, "live").text, PATIENCE_SECONDS, "its end")


def test_it_fits_a_phone_and_follows_light_and_dark(start: Callable[..., Emulator], phone: Chrome) -> None:
    emulator = start("--endpoint", "demo=echo", "--endpoint", f"{'long-name-' * 6}end=fail")
    invoke(emulator, "demo", "x" * 64)
    phone.get(f"{emulator.url}/#demo")
    wait_for(lambda: any("done" in text for text in texts(phone)), PATIENCE_SECONDS, "row")
    assert phone.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    button = rows(phone)[0].find_element(By.CLASS_NAME, "see")
    assert button.rect["x"] + button.rect["width"] <= 390
    grounds = set()
    for scheme in ("light", "dark"):
        prefer(phone, scheme)
        grounds.add(phone.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2
