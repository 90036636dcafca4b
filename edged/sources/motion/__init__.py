"""Whether anything moves before a camera: `pixels` looks at the luma of decoded frames, `stream` at packets."""
