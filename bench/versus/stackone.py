"""Looks for attacks with stackone-defender, for comparison: stackone.py INPUT.jsonl OUTPUT.jsonl

Reads {"id","text","channel"} lines, writes {"id","score","label"}: the score of the model that the wheel carries (0 where it
gives none), and a threat's name where the package would not let the text through. Prints one JSON line of figures: processor
seconds of starting and of the work (whole passes over the lines until a second is over), messages, peak memory in MiB.
"""
import json, os, resource, sys


def processor():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main():
    source, target = sys.argv[1:3]
    # One core: the runtime makes as many threads as it sees.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    begun = processor()
    from stackone_defender import create_prompt_defense
    # A verdict is wanted, not a cleaned text; without its model it must not go on.
    defense = create_prompt_defense(block_high_risk=True, require_tier2=True, sanitize_content=False)
    defense.warmup_tier2()
    defense.defend_tool_result("Where is my order?", "chat_message")
    started = processor()
    messages = [json.loads(line) for line in open(source, encoding="utf-8")]
    begin, passes = processor(), 0
    while passes == 0 or processor() - begin < 1:
        results = [defense.defend_tool_result(m["text"], "chat_message") for m in messages]
        passes += 1
    seconds = processor() - begin
    with open(target, "w", encoding="utf-8") as out:
        for message, result in zip(messages, results):
            label = "benign" if result.allowed else "prompt_injection"
            out.write(json.dumps({"id": message["id"], "score": result.tier2_score or 0, "label": label}) + "\n")
    print(json.dumps({
        "start_seconds": started - begun, "seconds": seconds, "messages": len(messages) * passes,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


main()
