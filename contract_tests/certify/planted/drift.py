"""Planted defects: too strict where APIs grow, too lenient where amounts lack."""

from contract_tests.certify import changes
from contract_tests.certify.planting import ALL, HTTP, ROWS, changed, fails, plant

plant("refuses unknown members", ALL, "unknown-members", http_options=changed(changes.strict_members))  # fmt: skip
plant("refuses unknown words", ("cdp", "coinapi"), "unknown-enum-value", http_options=changed(changes.strict_enums))  # fmt: skip
plant("needs an optional member", ("cdp", "coinapi", "coinw"), "optional-members-absent", ROWS, http_options=changed(changes.needs_optional))  # fmt: skip
plant("compares the whole media type", ALL, "media-type-with-charset", http_options=changed(changes.exact_media_type))  # fmt: skip
plant("takes an absent amount for zero", ALL, "amount-absent", "amount-null", http_options=changed(changes.absent_as_zero))  # fmt: skip
plant("takes a null amount for zero", HTTP, "amount-null", http_options=changed(changes.null_as_zero))  # fmt: skip
plant("takes null rows for none", HTTP, "rows-null", http_options=changed(changes.null_as_empty))
plant(
    "needs the rate",
    ("coinapi",),
    "null-rate",
    "optional-members-absent",
    http_options=changed(
        lambda _, r: (
            fails(ValueError("no rate"))
            if b'"rate_usd":null' in r.content
            or (b'"balance"' in r.content and b"rate_usd" not in r.content)
            else r
        )
    ),
)
