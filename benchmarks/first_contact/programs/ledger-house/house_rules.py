"""A plugin for the ledger: complains of transactions on food above a limit."""
import collections

from beancount.core import data

__plugins__ = ["rules"]
Complaint = collections.namedtuple("Complaint", "source message entry")


def rules(entries, options_map, config):
    limit = int(config.split(":")[1].strip(" }"))
    errors = []
    for entry in data.filter_txns(entries):
        for posting in entry.postings:
            if posting.account == "Expenses:Food" and posting.units.number > limit:
                errors.append(Complaint(entry.meta, f"{entry.narration}: {posting.units} is above {limit}", entry))
    return entries, errors
