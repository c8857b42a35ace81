"""How messages look: the product's templates, and an organisation's own in their place."""

from __future__ import annotations

from datetime import datetime

from billing import languages
from billing.errors import InvalidInput, NotFound
from billing.messages import render as rendering
from billing.messages.render import Rendered, Unrenderable
from billing.messages.samples import CUSTOMER, SAMPLES
from billing.model.messages import MessageKind, OwnTemplate, TemplateView
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.store import audit
from billing.store import messages as store
from billing.store.guard import Transaction

SIZE_LIMIT = 50_000


def shown(context: Context, kind: MessageKind, language: str) -> TemplateView:
    """The template that messages of a kind are made by now: the actor's organisation's own, else
    the product's. Raises InvalidInput (the language)."""
    spoken = checked_language(language)
    with context.transaction() as tx:
        own = store.own_template(tx, context.home_org_id, kind, spoken)
    used = own or rendering.builtin(kind, spoken)
    sms = used.sms if used.sms is not None else rendering.builtin(kind, spoken).sms
    return TemplateView(
        kind=kind,
        language=used.language,
        mjml=used.mjml,
        text=used.text,
        sms=sms or "",
        own=own is not None,
    )


def languages_of(context: Context) -> list[str]:
    """Those that the product speaks, and those of the actor's organisation's own templates."""
    with context.transaction() as tx:
        own = store.template_languages(tx, context.home_org_id)
    return sorted({*languages.languages(), *own})


def preview(context: Context, kind: MessageKind, language: str) -> Rendered:
    """A message of this kind with made-up facts, by the template that is used now. Raises
    InvalidInput (the language)."""
    spoken = checked_language(language)
    with context.transaction() as tx:
        operator = operator_of(tx)
        own = store.own_template(tx, context.home_org_id, kind, spoken)
    return rendering.render(
        kind,
        spoken,
        organisation=operator.name,
        customer=CUSTOMER,
        facts=SAMPLES[kind],
        own=own,
    )


def tried(
    kind: MessageKind, language: str, mjml: str, text: str, sms: str | None = None
) -> Rendered:
    """What a template makes of made-up facts; nothing is stored. Raises InvalidInput: the field,
    the line and the reason."""
    own = _own(checked_language(language), mjml, text, sms)
    for field, value in (("mjml", own.mjml), ("text", own.text), ("sms", own.sms or "")):
        if len(value) > SIZE_LIMIT:
            raise InvalidInput(f"longer than {SIZE_LIMIT} characters", field=field)
    try:
        return rendering.check(kind, own, SAMPLES[kind])
    except Unrenderable as error:
        raise InvalidInput(str(error), field=error.field) from None


def save(
    context: Context,
    kind: MessageKind,
    language: str,
    mjml: str,
    text: str,
    now: datetime,
    sms: str | None = None,
) -> TemplateView:
    """Store an own template of the actor's organisation; messages that wait are made by it, too.
    `sms` None: the product's. One that does not make a message is refused: InvalidInput with the
    field, the line, the reason.
    """
    made = tried(kind, language, mjml, text, sms)
    own = _own(made.language, mjml, text, sms)
    with context.transaction() as tx:
        store.put_template(tx, context.home_org_id, kind, own, now)
        _record(tx, context, "message_template.save", kind, own.language, now)
    return shown(context, kind, own.language)


def reset(context: Context, kind: MessageKind, language: str, now: datetime) -> None:
    """The product's template again. Raises NotFound (there is no own one)."""
    spoken = checked_language(language)
    with context.transaction() as tx:
        if not store.drop_template(tx, context.home_org_id, kind, spoken):
            raise NotFound(f"{kind} has no template of your own in {spoken}", field="kind")
        _record(tx, context, "message_template.reset", kind, spoken, now)


def _record(
    tx: Transaction, context: Context, action: str, kind: MessageKind, language: str, now: datetime
) -> None:
    audit.append(
        tx,
        at=now,
        org_id=context.home_org_id,
        actor=context.actor,
        action=action,
        subject=f"message_template:{kind}",
        detail={"language": language},
    )


def checked_language(language: str) -> str:
    """As Babel writes it (`pt_BR`). Raises InvalidInput."""
    known = rendering.known_language(language)
    if known is None:
        raise InvalidInput("no such language; write it like en or pt-BR", field="language")
    return known


def _own(language: str, mjml: str, text: str, sms: str | None) -> OwnTemplate:
    short = None if sms is None else _lines(sms)
    return OwnTemplate(language=language, mjml=_lines(mjml), text=_lines(text), sms=short)


def _lines(text: str) -> str:
    """With line feeds, whatever a browser sent."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
