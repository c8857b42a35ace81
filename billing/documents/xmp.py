"""What a PDF says of the e-invoice that it carries: the metadata that Factur-X asks for, and the
description of its names that PDF/A asks for."""

from __future__ import annotations

from billing.documents.cii import FILE_NAME

_SPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_FACTS = {
    "DocumentType": ("INVOICE", "what the embedded file is"),
    "DocumentFileName": (FILE_NAME, "name of the embedded file"),
    "Version": ("1.0", "version of the standard"),
    "ConformanceLevel": ("EN 16931", "profile of the embedded file"),
}
_END = b"</rdf:RDF>"


def extended(rdf: bytes) -> bytes:
    """The metadata of a PDF, and that of its e-invoice."""
    head, end, rest = rdf.rpartition(_END)
    if not end:
        raise ValueError("the metadata of the PDF is no RDF")
    return head + _facts().encode() + _schema().encode() + end + rest


def _facts() -> str:
    told = "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _) in _FACTS.items())
    return f'<rdf:Description rdf:about="" xmlns:fx="{_SPACE}">{told}</rdf:Description>'


def _schema() -> str:
    properties = "".join(
        '<rdf:li rdf:parseType="Resource">'
        f"<pdfaProperty:name>{name}</pdfaProperty:name>"
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType>"
        "<pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{meaning}</pdfaProperty:description></rdf:li>"
        for name, (_, meaning) in _FACTS.items()
    )
    return (
        '<rdf:Description rdf:about=""'
        ' xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"'
        ' xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"'
        ' xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">'
        '<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">'
        "<pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>"
        f"<pdfaSchema:namespaceURI>{_SPACE}</pdfaSchema:namespaceURI>"
        "<pdfaSchema:prefix>fx</pdfaSchema:prefix>"
        f"<pdfaSchema:property><rdf:Seq>{properties}</rdf:Seq></pdfaSchema:property>"
        "</rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>"
    )
