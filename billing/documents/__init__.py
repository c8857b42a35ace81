"""Bills set as HTML and PDF. A pure function of the document and the design: no database, no
file but the templates beside it, no network. Services know nothing of it; the command line, the
panel and the worker hand it what a service has read."""
