"""Finds personal data with Presidio, for comparison: presidio.py INPUT.jsonl OUTPUT.jsonl [MODEL]

Reads {"id","text"} lines, writes {"id","spans":[{"start","end","type","score"}]} with the types of the scorer, and prints
one JSON line of figures: processor seconds of starting and of the work itself, characters, documents, peak memory in MiB.
"""
import json, resource, sys

TYPES = {
    "EMAIL_ADDRESS": "EMAIL", "PHONE_NUMBER": "PHONE", "CREDIT_CARD": "CREDIT_CARD", "IBAN_CODE": "IBAN",
    "US_BANK_NUMBER": "BANK_ACCOUNT", "US_SSN": "US_SSN", "US_PASSPORT": "PASSPORT", "US_DRIVER_LICENSE": "DRIVER_LICENSE",
    "US_ITIN": "NATIONAL_ID", "UK_NINO": "NATIONAL_ID", "UK_NHS": "MEDICAL_ID", "MEDICAL_LICENSE": "MEDICAL_ID",
    "IP_ADDRESS": "IP_ADDRESS", "MAC_ADDRESS": "MAC_ADDRESS", "URL": "URL", "CRYPTO": "CRYPTO_WALLET",
    "PERSON": "PERSON", "LOCATION": "LOCATION", "ORGANIZATION": "ORG", "DATE_TIME": "DATE_TIME",
}
# The threshold its users set; with all scores its precision is lower.
SCORE = 0.4


def processor():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def settled(found):
    """Contained spans dropped, the surer first: what Presidio's own anonymizer does."""
    kept = []
    for span in sorted(found, key=lambda s: (-s["score"], s["start"] - s["end"])):
        if not any(k["start"] <= span["start"] and span["end"] <= k["end"] for k in kept):
            kept.append(span)
    return sorted(kept, key=lambda s: s["start"])


def main():
    source, target = sys.argv[1:3]
    model = sys.argv[3] if len(sys.argv) > 3 else "en_core_web_sm"
    begun = processor()
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider
    provider = NlpEngineProvider(nlp_configuration={
        "nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}],
    })
    engine = AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])
    engine.analyze("My name is Ann.", language="en")
    started = processor()
    documents = [json.loads(line) for line in open(source, encoding="utf-8")]
    begin = processor()
    with open(target, "w", encoding="utf-8") as out:
        for document in documents:
            found = engine.analyze(document["text"], language="en", score_threshold=SCORE)
            spans = settled([
                {"start": r.start, "end": r.end, "type": TYPES[r.entity_type], "score": r.score}
                for r in found if r.entity_type in TYPES
            ])
            out.write(json.dumps({"id": document["id"], "spans": spans}) + "\n")
    print(json.dumps({
        "start_seconds": started - begun, "seconds": processor() - begin, "documents": len(documents),
        "characters": sum(len(d["text"]) for d in documents),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


main()
