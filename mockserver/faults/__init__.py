"""Faults: rules that match requests, and what they do to the responses.

1. Rules without a credential are evaluated first, rules with one after authentication.
2. Every matching rule counts the request, whatever other rules do. Whether it fires depends
   only on the seed, its name and its own count.
3. Of the rules that fire, the first with an answer gives it: a raw answer at once, a reject at
   the gate where the provider refuses for that reason. An error at an earlier gate wins.
4. Mutations change successful responses, in the order of the rules. Then deliveries decide how
   the response, or the reject, is sent. The request has taken effect by then.
"""
