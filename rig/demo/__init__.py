"""The demo: a small ISP, a played NAS, and the main job told step by step, each step checked."""
