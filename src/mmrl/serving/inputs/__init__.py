"""What is asked: choices of images, titles, subreddits and hours, read and encoded."""
