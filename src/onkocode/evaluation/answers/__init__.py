"""Raw answers read as a documentarist reads them: thoughts, corrections, negations, other systems."""
