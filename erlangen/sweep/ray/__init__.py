"""Jobs on a Ray cluster, or on one that is started on this machine for the time of a run.

    from erlangen.sweep.ray.connect import connected

    with connected("auto", job_cpus=1) as executor:
        erlangen.run("padding", executor=executor)

connect.py    joins or starts a cluster; the code that is sent to its machines
privacy.py    token, address, log lines
executor.py   what fits on the cluster, and where
tasks.py      the tasks that are with Ray, and those that it lost
calls.py      what of Ray is called
node.py       what a machine checks and computes
"""
