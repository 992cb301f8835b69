"""Real binaries that are ended, or whose time runs out, in mid-batch: nothing is lost, and whatever was accepted and
yet comes back is counted.
"""

from __future__ import annotations

import json
import queue
import signal
from collections import Counter
from pathlib import Path

import pytest

from local.bridge import PATIENCE_SECONDS, wait_for
from tests.chaos.standins import Aws, batch, failed, function, serving

QUICK, SLOW = ["m-0", "m-2", "m-4"], ["m-1", "m-3"]
# The function's time: enough for what does not hang, and shorter than the SDK's patience with one try of what does.
TIME_SECONDS = 9.0


def hangs(inference_id: str) -> bool:
    return inference_id in SLOW


def notifications() -> dict[str, str]:
    """An event's messages, each a notification whose response it carries itself: no S3 is asked."""
    return {
        message_id: json.dumps(
            {
                "invocationStatus": "Completed",
                "inferenceId": message_id,
                "requestParameters": {"endpointName": "e"},
                "responseParameters": {"outputLocation": f"s3://b/output/{message_id}.out"},
                # Too large to share a call with another one: so each hangs, or does not, by itself.
                "responseBody": {"content": "x" * 600_000, "encoding": "UTF8"},
            }
        )
        for message_id in sorted(QUICK + SLOW)
    }


def requests() -> dict[str, str]:
    return {message_id: f'{{"n": "{message_id}"}}' for message_id in sorted(QUICK + SLOW)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_function_ended_in_mid_batch_answers_nothing_so_that_the_whole_batch_comes_back(
    number: signal.Signals, tmp_path: Path
) -> None:
    aws = Aws(hangs)
    with serving(aws.handler) as address:
        with function("submit", address, tmp_path / "first.log") as submit:
            submit.give(batch(requests()))
            log = tmp_path / "first.log"
            accepted = b'"invocation accepted"'
            wait_for(lambda: log.read_bytes().count(accepted) == len(QUICK), PATIENCE_SECONDS, "quick ones accepted")
            submit.process.send_signal(number)
            assert submit.process.wait(PATIENCE_SECONDS) != 0
            # Neither a response nor an error: Lambda takes all five for failed and gives them back to the queue.
            with pytest.raises(queue.Empty):
                submit.answers.get(timeout=0.5)
            accepted_before = Counter(aws.taken)
        aws.taken.clear()
        aws.go_on.set()
        with function("submit", address, tmp_path / "second.log") as submit:
            again = submit.invoke(batch(requests(), receipt=2))
        assert failed(again) == []
    # Each was invoked, and what was invoked twice has the same inference id both times: that is how it is counted.
    assert set(aws.taken) == set(requests())
    assert accepted_before >= Counter(QUICK)


def test_a_request_that_comes_back_at_the_deadline_though_sagemaker_took_it_is_in_the_log(tmp_path: Path) -> None:
    aws = Aws(hangs)
    log = tmp_path / "log"
    with serving(aws.handler) as address, function("submit", address, log) as submit:
        # It has to come without those that hang, which are never answered.
        answer = submit.invoke(batch(requests()), TIME_SECONDS)
        assert failed(answer) == SLOW
        assert sorted(aws.taken) == sorted(QUICK + SLOW)
        # Every message has one line, and it says what the queue was told.
        assert submit.logged("invocation accepted") == QUICK
        assert submit.logged("invocation failed") == SLOW
        assert log.read_text(encoding="utf-8").count("ran out of time before") == len(SLOW)


def test_a_notification_that_comes_back_at_the_deadline_though_sqs_took_its_result_is_in_the_log(
    tmp_path: Path,
) -> None:
    aws = Aws(hangs)
    with serving(aws.handler) as address, function("collect", address, tmp_path / "log") as collect:
        answer = collect.invoke(batch(notifications()), TIME_SECONDS)
        assert failed(answer) == SLOW
        assert sorted(aws.taken) == sorted(QUICK + SLOW)
        assert collect.logged("result sent") == QUICK
        assert collect.logged("result not sent") == SLOW


def test_collect_ended_in_mid_batch_answers_nothing_so_that_the_whole_batch_comes_back(tmp_path: Path) -> None:
    aws = Aws(hangs)
    with serving(aws.handler) as address:
        with function("collect", address, tmp_path / "first.log") as collect:
            collect.give(batch(notifications()))
            wait_for(lambda: set(aws.taken) == {*QUICK, *SLOW}, PATIENCE_SECONDS, "results taken")
            collect.process.send_signal(signal.SIGTERM)
            assert collect.process.wait(PATIENCE_SECONDS) != 0
            with pytest.raises(queue.Empty):
                collect.answers.get(timeout=0.5)
        aws.taken.clear()
        aws.go_on.set()
        with function("collect", address, tmp_path / "second.log") as collect:
            assert failed(collect.invoke(batch(notifications(), receipt=2))) == []
    assert sorted(aws.taken) == sorted(QUICK + SLOW)
