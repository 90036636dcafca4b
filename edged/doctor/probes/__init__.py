"""What touches the world for `edged.doctor`: each looks at one thing, within a bound, and gives facts back."""
