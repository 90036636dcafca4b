"""What is measured, under which names, and how it is written for Prometheus.

`edged.metrics.catalog` names every metric, with its labels and what it means; `docs/metrics.md` is made from it.
Figures are gathered when somebody asks for them (`edged.service.figures`): nothing is counted twice.
"""
