"""Looks for attacks with promptbadger, for comparison: badger.py INPUT.jsonl OUTPUT.jsonl [rules|model]

Reads {"id","text","channel"} lines, writes {"id","score","label"}: its own risk from 0 to 100, and a threat's name from where
it says "suspicious" itself, as in its own evaluation. With `model` the linear model that the package carries has a say too.
Prints one JSON line of figures: processor seconds of starting and of the work (whole passes over the lines until a second is
over), messages, peak memory in MiB.
"""
import json, resource, sys


def processor():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main():
    source, target = sys.argv[1:3]
    begun = processor()
    from promptbadger import Scanner
    scanner = Scanner(classifier=sys.argv[3:] == ["model"])
    scanner.scan("Where is my order?")
    started = processor()
    messages = [json.loads(line) for line in open(source, encoding="utf-8")]
    # What it has for documents; what it has for answers looks for leaks alone, so they are read as messages.
    scans = {"document": scanner.scan_context}
    begin, passes = processor(), 0
    while passes == 0 or processor() - begin < 1:
        results = [scans.get(m["channel"], scanner.scan)(m["text"]) for m in messages]
        passes += 1
    seconds = processor() - begin
    with open(target, "w", encoding="utf-8") as out:
        for message, result in zip(messages, results):
            label = "benign" if result.verdict == "benign" else "prompt_injection"
            out.write(json.dumps({"id": message["id"], "score": result.score, "label": label}) + "\n")
    print(json.dumps({
        "start_seconds": started - begun, "seconds": seconds, "messages": len(messages) * passes,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


main()
