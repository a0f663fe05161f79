"""From questions to answers, from answers to judgements, from judgements to metrics."""
