"""`make doctor`: looks at a deployed stack and says what works, what is wrong, and which command mends it.

`checks/` has one file for each family of checks: a check is a function from a `Stack` to findings. `send/` sends one
request of each kind and waits for the answers. Nothing here changes the stack; the commands are printed, not run.
"""
