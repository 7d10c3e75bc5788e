ORDER = ('Unit', 'Timer', 'Service', 'Slice', 'Install')


def assignments(key, value):
    if value is None:
        return []
    if isinstance(value, (list, set, tuple)):
        return [f'{key}={item}' for item in (sorted(value) if isinstance(value, set) else value)]
    return [f'{key}={value}']


def unit_file(sections):
    lines = []
    for section in sorted(sections, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name)):
        lines.append(f'[{section}]')
        for key, value in sorted(sections[section].items()):
            lines += assignments(key, value)
        lines.append('')
    return '\n'.join(lines)
