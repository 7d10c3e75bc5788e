# The timer of before, as a bundle may set it: by default, and by a reactor that has to look at something first.
defaults = {
    'systemd-timers': {
        'left4me-workshop-refresh': {'command': '/usr/bin/false', 'when': 'weekly'},
    },
}


@metadata_reactor.provides(
    'systemd-timers',
)
def run_as(metadata):
    return {
        'systemd-timers': {
            'left4me-workshop-refresh': {
                'command': '/usr/bin/false',
                'when': 'weekly',
                'user': metadata.get('old-timer/user'),
            },
        },
    }


@metadata_reactor.provides(
    'old-timer/user',
)
def user(metadata):
    return {
        'old-timer': {
            'user': 'left4me' if metadata.get('left4me/install', None) else 'nobody',
        },
    }
