"""Faults: rules that match requests, and what they do to the answers.

A rule matches, counts and draws; what it then does is a fault, one small file in
``mutations`` or ``deliveries``, or an answer in the place of the provider's. In order:

1. A rule without a credential is asked first, one with a credential after authentication.
2. Every rule that matches counts the request, whatever other rules do; its decision depends
   on the seed, its name and its own count alone.
3. Of the rules that fire, the first with an answer gives it, those that are asked first before
   the others: a raw one at once, a refusal at the gate where the provider itself would refuse
   so; what is wrong at an earlier gate wins.
4. Mutations change an answer that went well, in the order of the rules; then the deliveries
   say how it, or a refusal, is sent. What the request does has been done by then.
"""
