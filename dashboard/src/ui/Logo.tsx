/** Two overlapping pictures: one, and its look-alike. */
export function Logo({ size = 26 }: { size?: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden>
      <rect x="3" y="3" width="18" height="18" rx="5" fill="#93a8ff" />
      <rect x="11" y="11" width="18" height="18" rx="5" fill="#3b5bfd" />
      <path d="M11 16a5 5 0 0 1 5-5h5v5a5 5 0 0 1-5 5h-5z" fill="#1f34a8" />
    </svg>
  );
}
