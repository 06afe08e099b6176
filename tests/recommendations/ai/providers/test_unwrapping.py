"""Removal of text that models wrap around their answer."""

import pytest

from recommendations.ai.providers.unwrapping import find_refusal, json_object

PLAIN = '{"text": "a ``` b"}'


class TestJsonObject:
    @pytest.mark.parametrize(
        "content",
        [
            PLAIN,
            f"\n {PLAIN} \n",
            f"\ufeff{PLAIN}",
            f"```json\n{PLAIN}\n```",
            f"```\n{PLAIN}\n```\n",
            f"```JSON\r\n{PLAIN}\r\n```",
            f"~~~json\n{PLAIN}\n~~~",
            f"Here is the list:\n```json\n{PLAIN}\n```\nEnjoy!",
            f"<think>first {{}} then</think>\n{PLAIN}",
            f"<think>\n```json\n{{}}\n```\n</think>\n\n```json\n{PLAIN}\n```",
            f"<thinking>hm</thinking>{PLAIN}",
            f"the end of what it thought</think>{PLAIN}",
            f"\ufeff<think></think>\ufeff{PLAIN}",
            [{"type": "text", "text": PLAIN}],
            [{"type": "text", "text": PLAIN[:7]}, {"type": "text", "text": PLAIN[7:]}],
            [{"type": "thinking", "thinking": [{"text": "hm"}]}, {"type": "output_text", "text": PLAIN}],
            [PLAIN],
        ],
    )
    def test_is_taken_out_of_its_wrapping(self, content):
        assert json_object(content) == {"text": "a ``` b"}

    @pytest.mark.parametrize(
        "content",
        [
            None,
            5,
            "",
            "[]",
            "null",
            '"text"',
            "no JSON",
            f"Sure! {PLAIN}",
            f"{PLAIN} {PLAIN}",
            f"```json\n{PLAIN}\n```\n```json\n{PLAIN}\n```",
            f"<think>never closed {PLAIN}",
            f"```json\n{PLAIN}",
            '{"text": "cut',
            "[" * 99_999,
            [{"type": "image_url", "image_url": {}}],
        ],
    )
    def test_anything_else_is_none(self, content):
        assert json_object(content) is None


class TestRefusal:
    def test_is_found_among_parts(self):
        assert find_refusal([{"type": "text", "text": "x"}, {"type": "refusal", "refusal": "No."}]) == "No."

    @pytest.mark.parametrize("content", [None, "x", [], [{"type": "text", "text": "x"}], [{"type": "refusal"}]])
    def test_is_not_there(self, content):
        assert find_refusal(content) == ""
